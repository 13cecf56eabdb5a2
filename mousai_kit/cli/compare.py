"""The command that puts trained systems side by side."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mousai_kit.cli.app import Json, Set, app, on_interrupt, print_json, starting

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
            "that of the first run whose music is here."
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
    with starting():
        from dataclasses import replace

        from mousai_kit.core.console import Screen
        from mousai_kit.core.errors import argument_error
        from mousai_kit.evaluation import compare as comparing

    if not 0 <= timed <= 3600:
        raise argument_error("timed", f"must be 0 to 3600 seconds (got {timed:g})")
    screen = Screen()
    _check_overrides(overrides or [])
    comparing.check_out(out)
    systems = comparing.contestants(targets)
    recipe = _judge(judge, targets, overrides or [])
    comparing.check_judge(recipe)
    with screen.busy("looking at the weights"):
        comparing.check_weights(systems)
    systems = [
        replace(system, hours=_hours(system.recipe, system.target, screen)) for system in systems
    ]
    left = f"clips that were finished are in {out}; go on with the same words"
    with on_interrupt(lambda: left), _lock(out):
        found = comparing.compare(systems, recipe, out, screen, timed_seconds=timed)
    if as_json:
        print_json(found.to_json(out))
    else:
        typer.echo((out / comparing.TABLE).read_text(encoding="utf-8"))
        typer.echo(f"Page: {out / comparing.PAGE}")


def _check_overrides(overrides: Sequence[str]) -> None:
    """Raise RequestError where what is changed is not about judging."""
    from mousai_kit.core.errors import RequestError

    for change in overrides:
        if change.partition("=")[0].partition(".")[0] not in ("evaluate", "data"):
            told = "each system is asked as its own recipe says; only `evaluate` and `data` change"
            raise RequestError.about(f"--set {change}", told)


@contextmanager
def _lock(out: Path) -> Iterator[None]:
    """Keep other comparisons out of a folder."""
    from mousai_kit.core.errors import RequestError
    from mousai_kit.core.files import LockHeldError, file_lock

    out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(file_lock(out / ".lock"))
        except LockHeldError:
            told = "another comparison is being written there; wait, or name another folder"
            raise RequestError.about(out, told) from None
        yield


def _judge(judge: str | None, targets: Sequence[str], overrides: Sequence[str]) -> Recipe:
    """Return the recipe that says how clips are judged, with metrics of clips made from text.

    Where none is named it is that of the first system whose music is here.
    """
    from mousai_kit.core.errors import MousaiError
    from mousai_kit.data.datasets import dataset
    from mousai_kit.evaluation.compare import default_metrics, judges
    from mousai_kit.runs.resolve import is_system, resolve_recipe, resolve_run

    def resolve(target: str, words: Sequence[str]) -> Recipe:
        if judge and not is_system(target):
            return resolve_recipe(target, words)
        return resolve_run(target, words)[0]

    def with_metrics(target: str) -> Recipe:
        recipe = resolve(target, overrides)
        if not judges(recipe):
            recipe = resolve(target, [*overrides, default_metrics(recipe)])
        dataset(recipe, length=recipe.audio.sample_rate, split="train")
        return recipe

    faults: list[MousaiError] = []
    for target in [judge] if judge else targets:
        try:
            return with_metrics(target)
        except MousaiError as error:
            faults.append(error)
    raise faults[0]


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
