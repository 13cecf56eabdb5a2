"""A Hugging Face hub on this machine: one model, whose files are those of a folder."""

import base64
import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_of_the_tests"


def of(model, folder, *, there=True, writable=True):
    """Return a server's handler for a model, which keeps what it was `asked`.

    A model that is not `there` yet can be created by who has the TOKEN, where it is `writable`.
    """
    said = {"model": model, "folder": folder, "there": there, "writable": writable, "asked": []}
    return type("ThisHub", (Hub,), said)


class Hub(BaseHTTPRequestHandler):
    """The part of the hub's interface that a download and an upload use."""

    model = ""
    folder = None
    asked = ()
    there = True
    writable = True

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def do_POST(self):
        self.asked.append(self.path)
        said = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.send(b'{"error": "Invalid credentials"}', True, 401)
        if not self.writable:
            return self.send(b'{"error": "Forbidden"}', True, 403)
        url = f"http://{self.headers['Host']}/{self.model}"
        if self.path == "/api/repos/create":
            asked = json.loads(said)
            assert f"{asked['organization']}/{asked['name']}" == self.model
            type(self).there = True
            return self.send_json({"url": url, "id": self.model})
        if self.path == "/api/validate-yaml":  # of a README's front matter
            return self.send_json({"errors": [], "warnings": []})
        if "/preupload/" in self.path:
            files = [it["path"] for it in json.loads(said)["files"]]
            modes = [{"path": it, "uploadMode": "regular", "shouldIgnore": False} for it in files]
            return self.send_json({"files": modes})
        assert "/commit/" in self.path
        self.commit([json.loads(line) for line in said.splitlines()])
        return self.send_json({"commitUrl": f"{url}/commit/{COMMIT}", "commitOid": COMMIT})

    def commit(self, lines):
        """Do what the lines of a commit say."""
        for line in lines:
            value = line["value"]
            path = self.folder / value.get("path", "")
            if line["key"] == "file":
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(base64.b64decode(value["content"]))
            elif line["key"] == "deletedFile":
                path.unlink()

    def answer(self, *, body):
        self.asked.append(self.path)
        where = self.path.split("?")[0]
        resolve = f"/{self.model}/resolve/{COMMIT}/"
        if where == "/api/whoami-v2":
            known = self.headers.get("Authorization") == f"Bearer {TOKEN}"
            return self.send_json({"name": "someone", "type": "user"}, 200 if known else 401)
        if self.there and where.startswith(f"/api/models/{self.model}"):
            return self.send(json.dumps(self.listing("tree" in where)).encode(), body)
        path = self.folder / where.removeprefix(resolve)
        if not where.startswith(resolve) or not self.there:
            return self.send(b"", body, 404, {"X-Error-Code": "RepoNotFound"})
        if not path.is_file():
            return self.send(b"", body, 404, {"X-Error-Code": "EntryNotFound"})
        return self.send(path.read_bytes(), body)

    def listing(self, tree):
        paths = {
            it.relative_to(self.folder).as_posix(): it.stat().st_size
            for it in sorted(self.folder.rglob("*"))
            if it.is_file()
        }
        if tree:
            return [
                {"type": "file", "path": path, "size": size, "oid": "0" * 40}
                for path, size in paths.items()
            ]
        return {"id": self.model, "sha": COMMIT, "siblings": [{"rfilename": it} for it in paths]}

    def send_json(self, value, status=200):
        self.send(json.dumps(value).encode(), True, status)

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
