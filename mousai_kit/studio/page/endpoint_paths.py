"""Paths of the endpoints: `/api/NAME`, and requests that can't be answered refused in a line."""

from __future__ import annotations

import json
import re
from functools import cached_property
from pathlib import Path
from typing import Any

from gradio.utils import get_upload_folder
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mousai_kit.core.errors import escape_control_chars, suggest
from mousai_kit.studio.arguments import DEEPEST, is_too_deep

CALL = re.compile(
    r"(?P<place>/api|/gradio_api/(?:call/v2|call|run|api))/(?P<name>[^/]*)(?:/(?P<event>[^/]+))?/?"
)
"""A path that calls an endpoint, or asks how a call stands."""
OURS = "/studio/"
"""Where what is not Gradio's lies."""
LARGEST = 4_000_000
"""Bytes of a call, at most."""
FILE = "gradio.FileData"


class RefusedError(Exception):
    """A request that can't be answered, with its status and the line that says why."""

    def __init__(self, status: int, line: str) -> None:
        super().__init__(line)
        self.status = status


class EndpointPaths:
    """Middleware that lets endpoints be called at `/api/NAME`, as they are at Gradio's path.

    Calls of what is no endpoint, or with what it does not take, are refused before Gradio sees
    them, as it would fail with a traceback. What is not Gradio's demands the same login.
    """

    def __init__(self, app: ASGIApp, page: Any) -> None:
        self.app, self.page = app, page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        path = scope["path"] if scope["type"] == "http" else ""
        found = CALL.fullmatch(path)
        try:
            if found and found["place"] == "/api":
                scope = _with_path(scope, f"/gradio_api/call/v2{path.removeprefix('/api')}")
            if found and await self._is_let_in(scope):
                receive = await self._check(found, scope, receive)
            elif path.startswith(OURS) and not await self._is_let_in(scope):
                raise RefusedError(401, "log in first")
        except RefusedError as refused:
            await PlainTextResponse(f"{refused}\n", refused.status)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    async def _is_let_in(self, scope: Scope) -> bool:
        """Tell whether Gradio takes a request for that of someone who logged in, or need not."""
        statuses = []

        async def receive() -> Message:
            return {"type": "http.request"}

        async def send(message: Message) -> None:
            statuses.append(message.get("status", 0))

        asked = {**_with_path(scope, "/gradio_api/login_check"), "method": "GET"}
        await self.app(asked, receive, send)
        return statuses[0] == 200

    @cached_property
    def endpoints(self) -> dict[str, list[dict[str, Any]]]:
        """Return what each endpoint takes, by its name."""
        told = self.page.get_api_info()["named_endpoints"]
        return {name.removeprefix("/"): facts["parameters"] for name, facts in told.items()}

    async def _check(self, found: re.Match[str], scope: Scope, receive: Receive) -> Receive:
        """Return what has the request's body; RefusedError where the request can't be answered."""
        name, event = found["name"], found["event"]
        if name not in self.endpoints:
            raise RefusedError(404, f"there is no endpoint '{_plain(name)}'")
        if scope["method"] != ("GET" if event else "POST"):
            told = "an endpoint is called by POST; GET tells how the call stands, by its event_id"
            raise RefusedError(405, told)
        if event:
            if not self._is_known(event):
                raise RefusedError(404, "there is no such event_id, or its result was taken")
            return receive
        if not Headers(scope=scope).get("content-type", "").startswith("application/json"):
            raise RefusedError(415, "a call is JSON: send `Content-Type: application/json`")
        body = await _read_body(receive)
        if found["place"] in ("/api", "/gradio_api/call/v2"):
            self._check_named(name, _parse(body))
        else:  # whatever else is said could name another function
            values = self._check_positional(name, _parse(body))
            body = json.dumps({"data": values}).encode()
        return _replay(body, receive)

    def _is_known(self, event: str) -> bool:
        """Tell whether a call is waiting, or has a result that nobody has taken yet."""
        queue = self.page._queue
        sessions = queue.pending_event_ids_session
        return event in queue.event_ids_to_events or any(event in ids for ids in sessions.values())

    def _check_named(self, name: str, values: dict[str, Any]) -> None:
        known = {one["parameter_name"]: one for one in self.endpoints[name]}
        for given in values:
            if given not in known:
                hint = suggest(_plain(given), known) if known else "; it takes none"
                raise RefusedError(422, f"{name} takes no '{_plain(given)}'{hint}")
        for parameter, facts in known.items():
            if parameter in values:
                _check_file(facts, values[parameter])
            elif not facts["parameter_has_default"]:
                raise RefusedError(422, f"{parameter}: is missing")

    def _check_positional(self, name: str, values: dict[str, Any]) -> list[Any]:
        parameters, data = self.endpoints[name], values.get("data")
        if not isinstance(data, list):
            raise RefusedError(422, 'data: must be a list, as in {"data": []}')
        if len(data) != len(parameters):
            names = [facts["parameter_name"] for facts in parameters]
            told = f"{name} takes {len(names)} values{': ' if names else ''}{', '.join(names)}"
            raise RefusedError(422, f"data: {told} (got {len(data)})")
        for facts, value in zip(parameters, data, strict=True):
            _check_file(facts, value)
        return data


def _with_path(scope: Scope, path: str) -> Scope:
    return {**scope, "path": path, "raw_path": path.encode()}


def _check_file(facts: dict[str, Any], value: Any) -> None:
    """Raise RefusedError where a file is asked for, or several, and no upload was given."""
    if facts["component"] != "File":
        return
    several = facts["type"].get("type") == "array"
    for file in value if several and isinstance(value, list) else [value]:
        path = file.get("path") if isinstance(file, dict) else None
        if not isinstance(path, str) or file.get("meta") != {"_type": FILE} or not _is_upload(path):
            form = f'{{"path": "...", "meta": {{"_type": "{FILE}"}}}}'
            told = f"must be {form} with an upload's path{', in a list' if several else ''}"
            raise RefusedError(422, f"{facts['parameter_name']}: {told}")


def _is_upload(path: str) -> bool:
    """Tell whether a path is that of a file that a client uploaded."""
    try:
        return Path(path).is_file() and Path(path).resolve().is_relative_to(
            Path(get_upload_folder()).resolve()
        )
    except (OSError, ValueError):
        return False


def _parse(body: bytes) -> dict[str, Any]:
    """Return what a body holds; RefusedError where it is no JSON, or no object."""
    try:
        values = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise RefusedError(422, "the body is no JSON") from None
    if is_too_deep(values, DEEPEST + 2):
        raise RefusedError(422, f"the body holds lists in lists, more than {DEEPEST} deep")
    if not isinstance(values, dict):
        raise RefusedError(422, "the body must be a JSON object, of arguments by their names")
    return values


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


async def _read_body(receive: Receive) -> bytes:
    """Return a request's body; RefusedError where it is too large."""
    body, more = bytearray(), True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > LARGEST:
            raise RefusedError(413, f"the body is larger than {LARGEST // 1_000_000} MB")
    return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return what gives a body that was read, and then whatever comes after it."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return left.pop() if left else await receive()

    return replay


def _plain(text: str) -> str:
    """Return what a client called something, in a line."""
    return escape_control_chars(text[:60])
