"""Commands on music to learn from: data check, data encode."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mousai_kit.cli.app import Json, Out, Set, Target, app, interruption_told, print_json
from mousai_kit.ranks import Rank

data = typer.Typer(no_args_is_help=True, help="Look at music to learn from, and encode it.")
app.add_typer(data, name="data")


@data.command()
def check(
    source: Annotated[str, typer.Argument(help="A recipe, a run folder, or a folder of music.")],
    overrides: Set = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for a picture and the figures; default: none.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Read headers and tags only.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="End with 1 where anything is wrong.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Tell durations, rates, loudness, silence, duplicates, missing captions and licences.

    Each track is decoded once; what is measured is kept by `folder`, so that the next time is
    quick, and a check that was interrupted goes on.
    """
    from mousai_kit.durable import check_folder
    from mousai_kit.library.checking import write_report
    from mousai_kit.library.summary import problems, summary
    from mousai_kit.library.table import print_library
    from mousai_kit.music_targets import library_of

    if out is not None:
        check_folder(out)
    with interruption_told(
        lambda: "what `folder` has measured is kept, and the same command goes on"
    ):
        library = library_of(source, overrides, quick=quick)
    facts = summary(library)
    files = write_report(out, library, facts) if out else []
    if as_json:
        print_json(facts)
    else:
        print_library(facts)
        for file in files:
            typer.echo(str(file))
    raise typer.Exit(int(strict and bool(problems(facts))))


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
    from mousai_kit.durable import check_folder
    from mousai_kit.encoded import encode
    from mousai_kit.runs import RunFolder
    from mousai_kit.targets import recipe_of, run_of

    if out is None:
        recipe, folder = run_of(target, overrides)
    else:
        check_folder(out)
        recipe, folder = recipe_of(target, overrides, run=out), RunFolder(out)
    with interruption_told(lambda: "what is encoded is kept, and the same command goes on"):
        found = encode(recipe, folder, stage=stage, screen=Screen())
    if not Rank.here().main:
        return
    if as_json:
        print_json([asdict(it) for it in found])
    else:
        typer.echo("\n".join(map(str, found)))
