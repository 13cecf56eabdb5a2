"""Targets: what a command's words stand for: recipes, trained systems, prompts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mousai_kit.console import Screen
from mousai_kit.errors import Problem, RequestError, RunError, did_you_mean, shown
from mousai_kit.generation import Order, orders
from mousai_kit.making import check_text
from mousai_kit.plugins import installed
from mousai_kit.recipe import RECIPE, RUNS, Recipe, load_recipe, shipped, with_sampler_steps
from mousai_kit.recipe.shelf import shipped_under
from mousai_kit.runs import RunFolder
from mousai_kit.system import System
from mousai_kit.tuning.adapter import worn

IMPORTS_INTO = "mousai-64x"
"""The recipe of a run that weights make, where none is named."""


def recipe_of(source: str, overrides: Sequence[str] | None, *, run: Path | None = None) -> Recipe:
    """Return a recipe by its file or its shipped name, with overrides, for a run folder or none.

    What it says in words of an earlier version is told on the screen.
    """
    recipe = load_recipe(source, overrides or (), registry=installed(), run=run)
    for line in recipe.notices:
        Screen().say(line)
    return recipe


def trained_system(
    target: str,
    overrides: Sequence[str] | None,
    steps: int | None = None,
    adapters: Sequence[str] = (),
) -> System:
    """Return the system of a run folder, or of a recipe's default run folder, not loaded yet.

    `adapters` are `PATH` or `PATH:STRENGTH`. An error where it is not trained.
    """
    recipe, folder = run_of(target, overrides, steps)
    folder.check_trained(recipe)
    return System(recipe, folder, Screen(), worn(_strengths(adapters), recipe.stages))


def _strengths(adapters: Sequence[str]) -> dict[str, float]:
    """Return paths with a strength each, 1 where none is said; a path may have colons itself."""
    found: dict[str, float] = {}
    for said in adapters:
        path, colon, number = said.rpartition(":")
        if not colon or Path(said).exists():
            path, number = said, "1"
        try:
            found[path] = found.get(path, 0.0) + float(number)
        except ValueError:
            told = "must be PATH or PATH:STRENGTH, the strength a number"
            raise RequestError(f"--adapter: {told} (got {shown(said)})") from None
    return found


def half_trained_system(
    target: str, overrides: Sequence[str] | None, steps: int | None = None
) -> System:
    """Return the system of a run, not loaded yet, of which some stages may not be trained."""
    return System(*run_of(target, overrides, steps), Screen())


def run_of(
    target: str, overrides: Sequence[str] | None, steps: int | None = None
) -> tuple[Recipe, RunFolder]:
    """Return the recipe and the folder of a run; an error where a folder is none."""
    folder = RunFolder(Path(target))
    if RunFolder.is_one(folder.path):
        recipe = recipe_of(str(folder.recipe), overrides)
    elif folder.path.is_dir() and target not in shipped():
        raise RunError(
            Problem(target, "", "is no run folder: it holds no recipe.yaml; `run` makes one")
        )
    else:
        _check_there(target)
        recipe = recipe_of(target, overrides)
        folder = RunFolder.default(recipe)
    if steps is not None:
        recipe = with_sampler_steps(recipe, steps)
    return recipe, folder


def _check_there(target: str) -> None:
    """Raise RunError where a user's word is no file and no shipped recipe, either."""
    if target.startswith("~") or Path(target).exists() or shipped_under(target):
        return
    runs = [it.parent for folder in (Path(), RUNS) for it in folder.glob(f"*/{RECIPE}")]
    known = [*map(str, runs), *(str(it) for it in Path().glob("*.yaml")), *shipped()]
    hint = did_you_mean(target, known) or "; `mousai-kit run RECIPE` makes a run folder"
    raise RunError(Problem(target, "", f"there is no such run folder and no such recipe{hint}"))


def import_target(
    recipe: str | None, into: Path | None, overrides: Sequence[str] | None
) -> tuple[Recipe, RunFolder]:
    """Return the recipe and the folder of the run that weights go into: one that is there, or new.

    RequestError where a run that is there has a recipe and another is named.
    """
    folder = RunFolder(into) if into else None
    if folder is None:
        folder = RunFolder.default(recipe_of(recipe or IMPORTS_INTO, overrides))
    if not RunFolder.is_one(folder.path):
        return recipe_of(recipe or IMPORTS_INTO, overrides, run=into), folder
    if recipe is not None:
        told = "has a recipe of its own; leave --recipe out, or use --into for another folder"
        raise RequestError(Problem(str(folder.path), "", told))
    return recipe_of(str(folder.recipe), overrides), folder


def own_orders(system: System) -> list[Order]:
    """Return what a recipe itself asks for; an error, before any training, where it can't be."""
    settings = system.recipe.generate
    if not settings.prompts:
        return []
    check_text(system)
    return orders(
        settings.prompts,
        seed=system.recipe.seed,
        count=settings.count,
        seconds=settings.seconds,
        guidance=settings.guidance,
    )


def prompts_in(file: Path) -> list[str]:
    """Return the prompts of a file, one a line; a byte order mark and blank lines are none."""
    if file.is_dir():
        raise RequestError(Problem(str(file), "", "is a folder; --prompts names a text file"))
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise RequestError(Problem(str(file), "", "is no UTF-8 text; save it as such")) from None
    return [line.strip() for line in lines if line.strip()]
