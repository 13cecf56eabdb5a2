"""Recipes that a package brings: checked as `mousai-kit validate` checks them."""

from __future__ import annotations

from pathlib import Path

from mousai_kit.cascade import Cascade
from mousai_kit.recipe import Recipe, load_recipe


def check_recipe(file: Path | str) -> Recipe:
    """Return a recipe that is valid, and whose parts fit together; RecipeError tells what is wrong.

    What it is made of must be installed.
    """
    recipe = load_recipe(file)
    Cascade.build(recipe, device="meta")
    return recipe
