"""From a file or a name to a validated recipe, or to every problem at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from mousai_kit.plugins import installed
from mousai_kit.problems import problems_in
from mousai_kit.recipe.extends import read_with_bases
from mousai_kit.recipe.finding import EarlierRun, Finder
from mousai_kit.recipe.outdated import Today
from mousai_kit.recipe.overrides import overridden
from mousai_kit.recipe.requires import completed, lacking, required
from mousai_kit.recipe.schema import Recipe
from mousai_kit.recipe.values import Faults, Origin, Written
from mousai_kit.recipe.yaml import parse
from mousai_kit.registry import Registry


def load_recipe(
    source: Path | str,
    overrides: Sequence[str] = (),
    *,
    registry: Registry | None = None,
    run: Path | None = None,
) -> Recipe:
    """Read a recipe file, or a shipped recipe by name, with overrides such as `seed=1`.

    It is made of a registry's components, by default of all that are installed.
    RecipeError tells every problem, each with its file and line or its `--set`. Of a component that
    is not here it tells the package that would bring it, if the recipe or the run folder that it is
    for (`run`; by default `runs/<name>`) says so. The recipe that is returned requires the packages
    of all its components; `notices` tells what it says in words of an earlier version.
    """
    faults = Faults()
    tree = overridden(read_with_bases(source, faults), overrides, faults)
    return _validated(tree, faults, installed() if registry is None else registry, run)


def stored_recipe(text: str, *, registry: Registry) -> Recipe:
    """Return the recipe that `Recipe.dump` wrote, in an earlier version perhaps.

    RecipeError where it says what today's components do not know.
    """
    faults = Faults()
    tree = parse(text, Origin(0, source="stored recipe"), faults)
    return _validated(tree, faults, registry, None)


def _validated(tree: Written, faults: Faults, registry: Registry, run: Path | None) -> Recipe:
    """Return the recipe of a tree; RecipeError tells all that is wrong with it."""
    today = Today(registry, faults)
    tree = today.of(tree, Recipe)
    earlier = EarlierRun(run) if run else EarlierRun.of(tree)
    finder = Finder(registry, required(tree), earlier)
    try:
        recipe = Recipe.model_validate(tree.plain(), context={"registry": finder})
    except ValidationError as error:
        for place, message in problems_in(error, Recipe):
            faults.add(tree.origin_of(place), place, message)
    for place, message in lacking(tree, complete=finder.complete):
        faults.add(tree.origin_of(place), place, message)
    if faults.found:
        raise faults.error()
    requires = completed(recipe.requires, finder.owners)
    return recipe.model_copy(update={"requires": requires}).written_in(tree, today.notices)
