"""A Hugging Face hub on this machine that has one data set, whose files are those of a folder."""

import json

import fake_hub


class DataHub(fake_hub.Hub):
    """The part of the hub's interface with which the package datasets fetches a data set."""

    def answer(self, *, body):
        where = self.path.split("?")[0]
        if where.startswith(f"/api/datasets/{self.model}"):
            self.asked.append(self.path)
            return self.send(json.dumps(self.listing("/tree/" in where)).encode(), body)
        self.path = self.path.removeprefix("/datasets")
        return super().answer(body=body)


def of(name, folder):
    """Return a server's handler for a data set, which keeps what it was `asked`."""
    return type("ThisHub", (DataHub,), {"model": name, "folder": folder, "asked": []})
