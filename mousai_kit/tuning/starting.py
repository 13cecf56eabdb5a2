"""Starting: what is found and told of given weights before a stage of a run trains."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mousai_kit.cascade import Cascade
from mousai_kit.errors import Problem, RecipeError, WeightsError
from mousai_kit.recipe import Recipe
from mousai_kit.runs import RunFolder
from mousai_kit.tuning.given import Given
from mousai_kit.tuning.tuned import Tuned

Say = Callable[[str], None]


def check(recipe: Recipe, cascade: Cascade) -> None:
    """Raise RecipeError where what a recipe freezes or adapts is not in its stages."""
    faults: list[Problem] = []
    for name, stage in cascade.stages.items():
        try:
            Tuned(recipe, name, stage)
        except RecipeError as error:
            faults += error.problems
    if faults:
        raise RecipeError(*faults)


def starts(
    recipe: Recipe, folder: RunFolder, trained: Callable[[str], bool], say: Say
) -> dict[str, Given | None]:
    """Return what each stage starts from, before any trains: all faults show at once.

    A stage that is `trained` as the recipe says stays, where what it started from is gone.
    """
    found: dict[str, Given | None] = {}
    faults: list[Problem] = []
    for name in recipe.stages:
        try:
            found[name] = _checked(recipe, folder, name)
        except RecipeError as error:
            if trained(name):
                say(f"{error}; {name} is trained already, and stays as it is")
                found[name] = None
            else:
                faults += error.problems
    if faults:
        raise RecipeError(*faults)
    return found


def check_fit(recipe: Recipe, cascade: Cascade, begun: Mapping[str, Given | None]) -> None:
    """Raise RecipeError where a stage can't take the weights that it is to start from."""
    faults: list[Problem] = []
    for name, given in begun.items():
        try:
            if given is not None:
                given.check_fit(cascade.stages[name], partial=recipe.stages[name].partial)
        except WeightsError as error:
            faults += recipe.fault(("stages", name, "weights"), str(error)).problems
    if faults:
        raise RecipeError(*faults)


def foreign(name: str, given: Given | None, header: Mapping[str, Any]) -> Iterator[str]:
    """Yield what to say of the weights that a stage starts from, and of what is odd about them."""
    if given is None:
        return
    yield f"{name}: starting from {given.origin}"
    if header["below"] and given.header.get("below", header["below"]) != header["below"]:
        yield (
            f"{name}: these weights learned the latents of another stage below than there is here; "
            "to take that as well, name its `weights` too, with `freeze: ['*']`"
        )


def _checked(recipe: Recipe, folder: RunFolder, name: str) -> Given | None:
    """Return what a stage starts from; RecipeError where it lies in what a training sets aside."""
    given = Given.find(recipe, name)
    own = folder.stage(name).path.resolve()
    if given is not None and given.path.resolve().is_relative_to(own):
        told = f"{given.origin} is in this run's own folder; name another for the run (--out)"
        raise recipe.fault(("stages", name, "weights"), told)
    return given
