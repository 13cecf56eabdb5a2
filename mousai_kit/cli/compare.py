"""The command that puts trained systems side by side."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mousai_kit.cli.app import Json, Set, app, busy, on_interrupt, print_json

if TYPE_CHECKING:
    from mousai_kit.core.console import Screen
    from mousai_kit.recipe import Recipe

OUT = Path("compared")


@app.command()
def compare(
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN RUN...",
            help="Run folders, recipes that were run, or trained systems by name.",
        ),
    ],
    judge: Annotated[
        str | None,
        typer.Option(
            help="Recipe whose `evaluate` and `data` say prompts, metrics and real music; default: "
            "the first run's."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the page, the clips and figures.")] = OUT,
    timed: Annotated[
        float, typer.Option(help="Seconds of the clip that is made against the clock; 0: none.")
    ] = 43.0,
    overrides: Set = None,
    as_json: Json = False,
) -> None:
    """Put systems side by side: the same prompts and seeds, figures, pictures, speed, a page."""
    with busy("starting"):
        from dataclasses import replace

        from mousai_kit.core.console import Screen
        from mousai_kit.core.errors import argument_error
        from mousai_kit.evaluation import compare as comparing

    if not 0 <= timed <= 3600:
        raise argument_error("timed", f"must be 0 to 3600 seconds (got {timed:g})")
    screen = Screen()
    systems = comparing.contestants(targets)
    recipe = _judge(judge, targets[0], overrides or [])
    comparing.check_judge(recipe)
    systems = [
        replace(system, hours=_hours(system.recipe, system.target, screen)) for system in systems
    ]
    with on_interrupt(lambda: f"clips that were finished are in {out}; go on with the same words"):
        found = comparing.compare(systems, recipe, out, screen, timed_seconds=timed)
    if as_json:
        print_json(found.to_json(out))
    else:
        typer.echo((out / comparing.TABLE).read_text(encoding="utf-8"))
        typer.echo(f"Page: {out / comparing.PAGE}")


def _judge(judge: str | None, first: str, overrides: Sequence[str]) -> Recipe:
    """Return the recipe that says how clips are judged, with metrics of clips made from text."""
    from mousai_kit.evaluation.compare import default_metrics, judges
    from mousai_kit.runs.resolve import is_system, resolve_recipe, resolve_run

    def resolve(words: Sequence[str]) -> Recipe:
        if judge and not is_system(judge):
            return resolve_recipe(judge, words)
        return resolve_run(judge or first, words)[0]

    recipe = resolve(overrides)
    return recipe if judges(recipe) else resolve([*overrides, default_metrics(recipe)])


def _hours(recipe: Recipe, target: str, screen: Screen) -> float | None:
    """Return the hours of music that a system learned from: of its data here, else of its card."""
    from mousai_kit.cli.publishing.facts import data_facts
    from mousai_kit.runs.model_card import card_in
    from mousai_kit.runs.resolve import resolve_run

    if (card := card_in(resolve_run(target, None)[1].recipe.parent)) is not None:
        told = re.search(r"tracks, ([\d.,]+) hours", card.read_text(encoding="utf-8"))
        if told:
            return float(told[1].replace(",", ""))
    return data_facts(recipe, screen).get("hours")
