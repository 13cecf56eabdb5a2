"""A studio's endpoints, asked as curl would: `/api/NAME`, then the stream of its events."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path


def fetch(url, data=None, *, method=None, kind="application/json", cookies=""):
    """Return the status and the body of an answer."""
    body = data if isinstance(data, bytes) or data is None else json.dumps(data).encode()
    request = urllib.request.Request(url, body, method=method)
    request.add_header("content-type", kind)
    if cookies:
        request.add_header("cookie", cookies)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def events(server, place, name, values, **options):
    """Return the events of a call, each as its kind and its data; or the status and line of one
    that was refused."""
    status, answer = fetch(f"{server.url}{place}/{name}", values, **options)
    if status != 200:
        return [(status, answer.decode())]
    event = json.loads(answer)["event_id"]
    status, answer = fetch(f"{server.url}{place}/{name}/{event}", **options)
    assert status == 200
    found = [part.split("\ndata: ") for part in answer.decode().strip().split("\n\n")]
    return [(kind.removeprefix("event: "), json.loads(data)) for kind, data in found]


def ask(server, name, /, **values):
    """Return the result of a call at `/api`."""
    kind, data = events(server, "/api", name, values)[-1]
    assert kind == "complete", data
    return data[0]


def refusal(server, name, values, place="/api"):
    """Return what a call is refused with: one line."""
    kind, data = events(server, place, name, values)[-1]
    assert kind == "error" or 400 <= kind < 500
    return data["error"] if kind == "error" else data.removesuffix("\n")


def take(server, file):
    """Return the bytes of a file that an answer names."""
    status, data = fetch(file["url"])
    assert status == 200
    assert Path(file["path"]).name == file["orig_name"]
    return data


def log_in(server, password):
    """Return the cookies of someone who logged in."""
    form = urllib.parse.urlencode({"username": "studio", "password": password}).encode()
    with urllib.request.urlopen(f"{server.url}/login", form) as answer:
        cookies = answer.headers.get_all("set-cookie")
    return "; ".join(cookie.partition(";")[0] for cookie in cookies)
