"""Commands that begin something: new plugin, new recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mousai_kit.cli.app import app

new = typer.Typer(no_args_is_help=True, help="Begin a plug-in or a recipe.")
app.add_typer(new, name="new")

_TEMPLATES = Path(__file__).parent / "scaffold" / "templates"
_KINDS = ", ".join(sorted(path.name for path in _TEMPLATES.iterdir() if path.name != "package"))


@new.command()
def plugin(
    name: Annotated[str, typer.Argument(help="What recipes will call it, such as slow-turn.")],
    kind: Annotated[str, typer.Option(help=f"What it is: {_KINDS}; of several, a,b.")],
    into: Annotated[
        Path | None,
        typer.Option(help="New or empty folder, or a plug-in's; default: mousai-kit-NAME, here."),
    ] = None,
) -> None:
    """Write a package with a component of your own, its tests, and a recipe that uses it.

    It installs, passes its tests and appears in `mousai-kit ls` as it is. To a plug-in that is
    there (--into) it is added, over no file of yours.
    """
    from mousai_kit.cli.scaffold.plugin import new_plugin

    typer.echo("\n".join(new_plugin(name, kind, into)))


@new.command()
def recipe(
    name: Annotated[str, typer.Argument(help="Its name, and its run folder's.")],
    base: Annotated[
        str, typer.Option("--from", help="The shipped recipe that it extends.")
    ] = "mousai-small",
    into: Annotated[Path, typer.Option(help="Folder for NAME.yaml.")] = Path(),
) -> None:
    """Write a recipe that extends a shipped one: it says only what you change.

    What is changed first stands there as comments. `cp` copies a recipe whole.
    """
    from mousai_kit.cli.scaffold.recipe import new_recipe

    typer.echo("\n".join(new_recipe(name, base, into)))
