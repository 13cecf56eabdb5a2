"""Onlookers: all that looks on while a recipe's stage is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mousai_kit.cascade import Cascade
from mousai_kit.console import Screen
from mousai_kit.demos import Demos
from mousai_kit.errors import RecipeError
from mousai_kit.recipe import Recipe
from mousai_kit.runs import RunFolder
from mousai_kit.training.observing import Observer
from mousai_kit.training.showing import trackers
from mousai_kit.training.showing.curves import Curves
from mousai_kit.training.showing.harmless import Harmless
from mousai_kit.training.showing.table import Table
from mousai_kit.training.watching import watchers


def onlookers(
    recipe: Recipe,
    name: str,
    *,
    cascade: Cascade,
    folder: RunFolder,
    screen: Screen,
    report: Callable[[str], None],
) -> list[Observer]:
    """Return what looks on while stage `name` is trained; music that is left out is reported.

    Demos come last: what they make is heard by the others.
    """
    files = folder.stage(name)
    observers: list[Observer] = [Table(screen)]
    observers += [
        Harmless(trackers.tracker(it, recipe, name, folder=folder.path), f"reporting to {it}")
        for it in dict.fromkeys(recipe.track)
    ]
    observers.append(Harmless(Curves(files.log, files.curves), "drawing the curves"))
    if recipe.stages[name].train.watch:
        fresh = recipe.stages[name].weights is None
        observers += [Harmless(it, f"watching ({it.name})") for it in watchers(fresh=fresh)]
    if recipe.demo.every is not None:
        demos = Demos(recipe, name, cascade, folder=files.demos, screen=screen, report=report)
        observers.append(Harmless(demos, "a demo"))
    return observers


def check_showing(recipe: Recipe, cascade: Cascade) -> None:
    """Raise RecipeError where what a recipe wants to be shown can't be, before any training."""
    if faults := list(_faults(recipe, cascade)):
        raise RecipeError(*(problem for fault in faults for problem in fault.problems))


def _faults(recipe: Recipe, cascade: Cascade) -> Iterator[RecipeError]:
    for number, name in enumerate(recipe.track):
        if told := trackers.missing(name):
            yield recipe.fault(("track", number), told)
    text = cascade.top.space is None
    if recipe.demo.every is not None and text and not recipe.demo_prompts:
        told = "there is no prompt to play; list one or more in `demo.prompts`, or in `generate`"
        yield recipe.fault(("demo", "every"), told)
