"""The program: its name, the arguments that commands share, and how results are printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from mousai_kit import __version__

app = typer.Typer(
    name="mousai-kit",
    help="Text-to-music diffusion systems, put together from parts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Source = Annotated[str, typer.Argument(help="A recipe: a YAML file, or the name of a shipped one.")]
Target = Annotated[str, typer.Argument(help="A run folder, or a recipe that was run.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change a value of the recipe; repeatable."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
Out = Annotated[
    Path | None, typer.Option(help="Folder for the run; default: runs/<recipe's name>.")
]


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


def print_json(value: Any) -> None:
    """Print plain values for programs to read."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))
