"""Patterns: which parameters or layers of a stage the words of a recipe mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from mousai_kit.core.errors import RecipeError, did_you_mean, format_path
from mousai_kit.recipe import Recipe
from mousai_kit.recipe.nodes import KeyPath


def match_names(
    patterns: Sequence[str], names: Iterable[str], *, recipe: Recipe, place: KeyPath, what: str
) -> list[str]:
    """Return the names that any pattern matches, in their order.

    RecipeError tells of each pattern that matches none, at its place in the recipe.
    """
    known = list(names)
    hits = [[name for name in known if fnmatchcase(name, pattern)] for pattern in patterns]
    faults = [
        problem
        for number, (pattern, found) in enumerate(zip(patterns, hits, strict=True))
        if not found
        for problem in recipe.error_at(
            (*place, number), f"no {what} matches '{pattern}'{_nearest(pattern, known)}"
        ).problems
    ]
    if faults:
        raise RecipeError(*faults)
    wanted = {name for found in hits for name in found}
    return [name for name in known if name in wanted]


def _nearest(pattern: str, known: Sequence[str]) -> str:
    """Return a hint at a name or a whole part that may be meant, or where names can be seen."""
    parts = {f"{format_path(name.split('.')[:end])}.*" for name in known for end in range(1, 4)}
    if hint := did_you_mean(pattern, [*sorted(parts), *known]):
        return hint
    tops = sorted({f"{name.partition('.')[0]}.*" for name in known})
    return f"; there are {', '.join(tops)}"
