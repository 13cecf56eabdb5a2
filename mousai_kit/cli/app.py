"""The program: its name, the arguments that commands share, and how results are printed."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from mousai_kit import __version__

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""
SIGNALLED = 128
"""Exit codes after signals are their numbers and so much, as shells have it."""

app = typer.Typer(
    name="mousai-kit",
    help="Text-to-music diffusion systems, put together from parts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Source = Annotated[str, typer.Argument(help="A recipe: a YAML file, or the name of a shipped one.")]
Target = Annotated[
    str,
    typer.Argument(help="A run folder, a recipe that was run, or a trained system by its name."),
]
Revision = Annotated[
    str | None, typer.Option(help="Commit of a system on the Hugging Face hub (owner/name).")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change a value of the recipe; repeatable."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
Out = Annotated[
    Path | None, typer.Option(help="Folder for the run; default: runs/<recipe's name>.")
]


class Interrupted(Exception):  # noqa: N818 - it is no error
    """A signal ended a command; its arguments are what to say of it, and the exit code."""


@contextmanager
def on_interrupt(told: Callable[[], str]) -> Iterator[None]:
    """Say what is left where Ctrl-C, or another signal that asks for an end, ends a command."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted; {told()}", INTERRUPTED) from None
    except SystemExit as end:
        if isinstance(end.code, int) and end.code >= SIGNALLED:
            raise Interrupted(f"interrupted; {told()}", end.code) from None
        raise


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mousai-kit {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None: ...


@contextmanager
def busy(label: str) -> Iterator[None]:
    """Show what goes on while a command does what may take seconds."""
    from mousai_kit.core.console import Screen

    with Screen().busy(label):
        yield


@contextmanager
def starting() -> Iterator[None]:
    """Show that a command starts while it imports what it needs, which takes about two seconds."""
    with no_garbage_collection(), busy("starting"):
        yield


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Leave garbage be: a command that mostly imports makes little, and is a sixth quicker."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.freeze()  # or the first collection would go through all that was imported
            gc.enable()


def print_json(value: Any) -> None:
    """Print plain values for programs to read."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def print_result(value: Any, lines: Iterable[object], *, as_json: bool) -> None:
    """Print plain values for programs, or else lines for people."""
    print_json(value) if as_json else typer.echo("\n".join(map(str, lines)))
