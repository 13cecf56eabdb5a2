"""A Hugging Face hub on this machine: one model, whose files are those of a folder."""

import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def of(model, folder):
    """Return a server's handler for a model, which keeps what it was `asked`."""
    return type("ThisHub", (Hub,), {"model": model, "folder": folder, "asked": []})


class Hub(BaseHTTPRequestHandler):
    """The part of the hub's interface that a download uses."""

    model = ""
    folder = None
    asked = ()

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, *, body):
        self.asked.append(self.path)
        where = self.path.split("?")[0]
        resolve = f"/{self.model}/resolve/{COMMIT}/"
        if where.startswith(f"/api/models/{self.model}"):
            return self.send(json.dumps(self.listing("tree" in where)).encode(), body)
        path = self.folder / where.removeprefix(resolve)
        if not where.startswith(resolve):
            return self.send(b"", body, 404, {"X-Error-Code": "RepoNotFound"})
        if not path.is_file():
            return self.send(b"", body, 404, {"X-Error-Code": "EntryNotFound"})
        return self.send(path.read_bytes(), body)

    def listing(self, tree):
        paths = sorted(self.folder.iterdir())
        if tree:
            return [
                {"type": "file", "path": p.name, "size": p.stat().st_size, "oid": "0" * 40}
                for p in paths
            ]
        return {"id": self.model, "sha": COMMIT, "siblings": [{"rfilename": p.name} for p in paths]}

    def send(self, data, body, status=200, headers=()):
        self.send_response(status)
        length = {"Content-Length": str(len(data)), "Content-Type": "application/json"}
        identity = {"ETag": f'"{abs(hash(self.path)):x}"', "X-Repo-Commit": COMMIT}
        for key, value in {**length, **identity, **dict(headers)}.items():
            self.send_header(key, value)
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, *_):
        pass


@contextmanager
def served(handler):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
