"""Onlookers: all that looks on while a recipe's stage is trained."""

from __future__ import annotations

from collections.abc import Callable

from mousai_kit.core.console import Screen
from mousai_kit.core.errors import RecipeError
from mousai_kit.models.cascade import Cascade
from mousai_kit.recipe import Recipe
from mousai_kit.runs.run_folder import RunFolder
from mousai_kit.training.callbacks import trackers
from mousai_kit.training.callbacks.base import Callback
from mousai_kit.training.callbacks.curves import CurvePlot
from mousai_kit.training.callbacks.demos import DemoCallback
from mousai_kit.training.callbacks.progress import ProgressTable
from mousai_kit.training.monitors import default_monitors


def default_callbacks(
    recipe: Recipe,
    name: str,
    *,
    cascade: Cascade,
    folder: RunFolder,
    screen: Screen,
    report: Callable[[str], None],
) -> list[Callback]:
    """Return what looks on while stage `name` is trained; music that is left out is reported.

    Demos come last: what they make is heard by the others.
    """
    files = folder.stage(name)
    observers: list[Callback] = [ProgressTable(screen)]
    names = dict.fromkeys(recipe.track)
    observers += [trackers.tracker(kind, recipe, name, folder=folder.path) for kind in names]
    observers.append(CurvePlot(files.log, files.curves))
    if recipe.stages[name].train.watch:
        observers += default_monitors(fresh=recipe.stages[name].weights is None)
    if recipe.demo.every is not None:
        observers.append(
            DemoCallback(recipe, name, cascade, folder=files.demos, screen=screen, report=report)
        )
    return observers


def check_callbacks(recipe: Recipe, cascade: Cascade) -> None:
    """Raise RecipeError where what a recipe wants to be shown can't be, before any training."""
    faults = [
        recipe.error_at(("track", number), told)
        for number, name in enumerate(recipe.track)
        if (told := trackers.missing(name))
    ]
    text = cascade.top.hears_text
    if recipe.demo.every is not None and text and not recipe.demo_prompts:
        told = "there is no prompt to play; list one or more in `demo.prompts`, or in `generate`"
        faults.append(recipe.error_at(("demo", "every"), told))
    if faults:
        raise RecipeError(*(problem for fault in faults for problem in fault.problems))
