"""Server: the page on an address, with a password where others can reach it."""

from __future__ import annotations

import ipaddress
import shutil
import socket
from pathlib import Path
from typing import Any

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from mousai_kit.studio.page.endpoint_paths import EndpointPaths
from mousai_kit.studio.page.page import CSS, build_page, theme
from mousai_kit.studio.studio import Studio
from mousai_kit.studio.trainings import Trainings

USER = "studio"
"""The name that goes with the password."""
QUEUE = 1000
"""Requests that wait at most; one more is refused."""
SESSIONS = 100
"""Pages and programs whose state is kept, half a MiB each; the one that was silent longest goes."""


def start_server(
    studio: Studio,
    trainings: Trainings,
    *,
    host: str,
    port: int | None,
    password: str | None,
    browser: bool,
) -> tuple[Any, str]:
    """Serve a studio's page from another thread; return the page, and where it is."""
    page, gallery = build_page(studio, trainings), studio.gallery
    page.queue(max_size=QUEUE, default_concurrency_limit=8, status_update_rate=1.0, api_open=False)
    _, url, _ = page.launch(
        server_name=host,
        server_port=port,
        auth=(USER, password) if password else None,
        inbrowser=browser,
        prevent_thread_lock=True,
        quiet=True,
        show_error=False,  # what nobody foresaw is told by `tell_errors` alone
        share=False,
        ssr_mode=False,
        run_history=False,
        enable_monitoring=False,
        footer_links=["api"],
        state_session_capacity=SESSIONS,
        allowed_paths=[str(path) for path in (gallery.clips, gallery.uploads, gallery.making)],
        max_file_size=int(studio.limits.uploads.megabytes * 1e6),
        app_kwargs={
            "routes": [Route("/studio/sound/{name}", _sound_endpoint(studio))],
            "middleware": [Middleware(EndpointPaths, page=page)],
        },
        theme=theme(),
        css=CSS,
    )
    return page, url


def _sound_endpoint(studio: Studio) -> Any:
    """Return what plays a sound while it is made, to whoever has its key: none can be guessed."""

    async def sound(request: Request) -> Response:
        found = studio.sounds.find(str(request.path_params["name"]).removesuffix(".wav"))
        if found is None:
            return PlainTextResponse("there is no such sound", 404)
        headers = {"Cache-Control": "no-store"}
        return StreamingResponse(found.stream(), media_type="audio/wav", headers=headers)

    return sound


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach a host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def can_listen(host: str, port: int = 0) -> bool:
    """Return whether a server of this machine can have an address and a port, 0 for any."""
    try:
        socket.create_server((host, port), family=socket.getaddrinfo(host, 0)[0][0]).close()
    except OSError:
        return False
    return True


def empty_folder(folder: Path) -> Path:
    """Return a folder that is there and empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
