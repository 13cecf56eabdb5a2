"""From a file or a name to a validated recipe, or to every problem at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from mousai_kit.plugins import installed
from mousai_kit.problems import problems_in
from mousai_kit.recipe.extends import read_with_bases
from mousai_kit.recipe.overrides import overridden
from mousai_kit.recipe.schema import Recipe
from mousai_kit.recipe.values import Faults
from mousai_kit.registry import Registry


def load_recipe(
    source: Path | str, overrides: Sequence[str] = (), *, registry: Registry | None = None
) -> Recipe:
    """Read a recipe file, or a shipped recipe by name, with overrides such as `seed=1`.

    It is made of a registry's components, by default of all that are installed. RecipeError tells
    every problem, each with its file and line or its `--set`.
    """
    faults = Faults()
    tree = overridden(read_with_bases(source, faults), overrides, faults)
    context = {"registry": installed() if registry is None else registry}
    try:
        recipe = Recipe.model_validate(tree.plain(), context=context)
    except ValidationError as error:
        for place, message in problems_in(error, Recipe):
            faults.add(tree.origin_of(place), place, message)
    if faults.found:
        raise faults.error()
    return recipe.written_in(tree)
