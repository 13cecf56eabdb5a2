"""Commands on music to learn from: data check, data encode."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mousai_kit.cli.app import Json, Out, Set, Target, app, on_interrupt, print_json, print_result

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
    from mousai_kit.cli.data_source import analyze_source
    from mousai_kit.cli.tables import print_analysis
    from mousai_kit.core.files import check_folder
    from mousai_kit.data.analysis import problems, summarize_analysis, write_data_report

    if out is not None:
        check_folder(out)
    with on_interrupt(lambda: "what `folder` has measured is kept, and the same command goes on"):
        library = analyze_source(source, overrides, quick=quick)
    facts = summarize_analysis(library)
    files = write_data_report(out, library, facts) if out else []
    if as_json:
        print_json(facts)
    else:
        print_analysis(facts)
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
    from mousai_kit.core.console import Screen
    from mousai_kit.core.files import check_folder
    from mousai_kit.core.rank import Rank
    from mousai_kit.data.encode import precompute_latents
    from mousai_kit.runs.resolve import resolve_recipe, resolve_run
    from mousai_kit.runs.run_folder import RunFolder

    if out is None:
        recipe, folder = resolve_run(target, overrides)
    else:
        check_folder(out)
        recipe, folder = resolve_recipe(target, overrides, run=out), RunFolder(out)
    with on_interrupt(lambda: "what is encoded is kept, and the same command goes on"):
        found = precompute_latents(recipe, folder, stage=stage, screen=Screen())
    if not Rank.here().main:
        return
    print_result([asdict(finding) for finding in found], found, as_json=as_json)
