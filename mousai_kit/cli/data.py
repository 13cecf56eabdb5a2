"""Commands on music to learn from: data encode."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from mousai_kit.cli.app import Json, Out, Set, Target, app, print_json

data = typer.Typer(no_args_is_help=True, help="Look at music to learn from.")
app.add_typer(data, name="data")


@data.command()
def encode(
    target: Target,
    stage: Annotated[
        str | None, typer.Option(help="The stage that learns; default: the second.")
    ] = None,
    overrides: Set = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Encode the music once into the latents that a stage learns from, before it trains.

    One that was interrupted goes on; `run` uses what is there. Some are made twice and compared.
    """
    from mousai_kit.console import Screen
    from mousai_kit.encoded import encode
    from mousai_kit.runs import RunFolder
    from mousai_kit.targets import recipe_of, run_of

    if out is None:
        recipe, folder = run_of(target, overrides)
    else:
        recipe, folder = recipe_of(target, overrides, run=out), RunFolder(out)
    found = encode(recipe, folder, stage=stage, screen=Screen())
    if as_json:
        print_json([asdict(it) for it in found])
    else:
        typer.echo("\n".join(map(str, found)))
