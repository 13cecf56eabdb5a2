"""The command that opens the studio: a page where music is made, compared and judged."""

from __future__ import annotations

import os
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mousai_kit.cli.app import app, busy

if TYPE_CHECKING:
    from mousai_kit.studio.studio import Studio
    from mousai_kit.studio.trainings import Trainings

PASSWORD = "MOUSAI_KIT_STUDIO_PASSWORD"  # noqa: S105 (the name of the variable that holds it)
INSTALL = "pip install 'mousai-kit[studio]'"
GALLERY = Path("studio")


@app.command()
def studio(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]...",
            help="Run folders, recipes that were run, or systems by name; default: starter.",
        ),
    ] = None,
    gallery: Annotated[Path, typer.Option(help="Folder that keeps the clips.")] = GALLERY,
    adapter: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH", help="A tuned run, or a file of adapters; repeatable."),
    ] = None,
    music: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of music that may be learned from; repeatable."),
    ] = None,
    tune: Annotated[
        str, typer.Option(metavar="RECIPE", help="Recipe that Train tunes the starter with.")
    ] = "mousai-tune",
    host: Annotated[
        str, typer.Option(help=f"Address; one beyond this machine needs {PASSWORD}.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(help="Port; default: the first free one from 7860.", min=1, max=65535),
    ] = None,
    longest: Annotated[float, typer.Option(help="Seconds of a clip, at most.", min=1)] = 600.0,
    headless: Annotated[
        bool, typer.Option("--headless", help="Say where the page is; open no browser.")
    ] = False,
) -> None:
    """Open a page in the browser where music is made, compared and judged.

    Others reach it with --host, and a password in the environment: MOUSAI_KIT_STUDIO_PASSWORD.
    """
    _require_gradio()
    password = os.environ.get(PASSWORD) or None
    with busy("starting"):
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
        os.environ["GRADIO_TEMP_DIR"] = str(gallery.expanduser().resolve() / ".studio-cache")
        from mousai_kit.core.errors import argument_error
        from mousai_kit.studio.gallery import Gallery
        from mousai_kit.studio.music import MusicFolders
        from mousai_kit.studio.page.server import empty_folder, is_loopback
        from mousai_kit.studio.studio import Studio, StudioLimits
        from mousai_kit.studio.systems import Systems
        from mousai_kit.studio.trainings import Trainings
        from mousai_kit.studio.tuning import TUNE, TuneRecipe

        if not (password or is_loopback(host)):
            told = f"others can reach it there; set a password in {PASSWORD} first"
            raise argument_error("host", told, host)
        for folder in music or ():
            if not folder.expanduser().is_dir():
                raise argument_error("music", "there is no such folder", folder)
        if tune != TUNE:
            TuneRecipe(tune).check()
        systems = Systems(targets or ["starter"], adapter or ())
        opened = Studio(Gallery(gallery), systems, StudioLimits(seconds=longest))
    with opened:
        empty_folder(opened.gallery.folder / ".studio-cache")
        brought = opened.gallery.folder / "music"
        folders = MusicFolders(music or (), brought, opened.limits.uploads)
        trainings = Trainings(opened.gallery.folder / "trainings", folders, recipe=tune)
        _serve(opened, trainings, host, port, password, browser=not headless)


def _require_gradio() -> None:
    """Raise RequestError where Gradio is not installed."""
    from mousai_kit.core.errors import RequestError

    if find_spec("gradio") is None:
        raise RequestError(f"the studio needs Gradio: {INSTALL}")


def _serve(
    opened: Studio,
    trainings: Trainings,
    host: str,
    port: int | None,
    password: str | None,
    *,
    browser: bool,
) -> None:
    """Serve until Ctrl-C."""
    from mousai_kit.core.errors import argument_error
    from mousai_kit.studio.page.server import USER, can_listen, start_server

    if not can_listen(host):
        raise argument_error("host", "is no address of this machine", host)
    if port and not can_listen(host, port):
        raise argument_error("port", "is taken; name another, or none", port)
    with busy("opening the page"):
        try:
            page, url = start_server(
                opened, trainings, host=host, port=port, password=password, browser=browser
            )
        except OSError as error:
            raise argument_error("port", f"can't be used ({error}); name another", port) from None
    who = f", as '{USER}' with the password" if password else ""
    typer.echo(f"Studio: {url}{who}")
    typer.echo(f"Clips are kept in {opened.gallery.folder}; Ctrl-C ends")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        typer.echo("stopped")
    finally:
        page.close(verbose=False)
