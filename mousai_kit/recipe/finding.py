"""Finding: a recipe's components, and for one that is not here the package that would bring it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from mousai_kit.component import Component
from mousai_kit.errors import RecipeError
from mousai_kit.recipe.requires import command, is_of, lack, required
from mousai_kit.recipe.values import Faults, Origin, Written
from mousai_kit.recipe.yaml import LARGEST, read
from mousai_kit.registry import Registry

RUNS = Path("runs")
"""Where run folders lie that nobody named."""
RECIPE = "recipe.yaml"
"""The recipe in a run folder."""


class Finder:
    """Finds components as the registry does, and remembers whose they are.

    Of one that is not here it tells which package brings it: one of those that the recipe requires
    (`required`), or one that an earlier run of the recipe had.
    """

    def __init__(self, registry: Registry, required: Sequence[str], earlier: EarlierRun) -> None:
        self.registry, self.required, self.earlier = registry, required, earlier
        self.complete = True
        self._found: set[type[Component]] = set()

    def find(self, kind: str, name: str) -> type[Component]:
        """Return the component class; raise LookupError with one line that helps."""
        try:
            component = self.registry.find(kind, name)
        except LookupError:
            self.complete = False
            if hint := self._hint(name):
                raise LookupError(f"no {kind} is called '{name}'; {hint}") from None
            raise
        self._found.add(component)
        return component

    @property
    def owners(self) -> list[str]:
        """Return whose components were found, as the registry names them."""
        return [owner for component, owner in self.registry if component in self._found]

    def _hint(self, name: str) -> str:
        """Return which package brings a component; empty where that is not known."""
        if any(component.name == name for component, _ in self.registry):
            return ""  # it is of another kind: that is the mistake
        if lacking := {it: wrong for it in self.required if (wrong := lack(it))}:
            told = ", and ".join(f"{it}, which {wrong}" for it, wrong in lacking.items())
            return f"this recipe requires {told}: {command(lacking)}"
        if faulty := [it for it in self.registry.left_out if is_of(it, self.required)]:
            told = " and ".join(faulty)
            was = "was" if len(faulty) == 1 else "were"
            return f"{told}, which this recipe requires, {was} left out: see `mousai-kit plugins`"
        return self.earlier.hint(name)


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """A run folder, of which only the recipe is read: it says what the run required."""

    folder: Path | None

    @classmethod
    def of(cls, tree: Written) -> EarlierRun:
        """Return the run folder that a recipe has where none is named; none for a wrong name."""
        name = tree.value["name"].plain() if "name" in tree.value else None
        if not (isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name)):
            return cls(None)
        return cls(RUNS / name)

    def hint(self, component: str) -> str:
        """Return which package brought a component when the run was made; empty if unknown."""
        if self.folder is None:
            return ""
        tree = _recipe_in(self.folder)
        lacking = [it for it in required(tree) if lack(it)]
        if not lacking or component not in _names(tree.plain()):
            return ""
        packages = " or ".join(Requirement(it).name for it in lacking)
        return f"{packages} brought it when {self.folder} was made: {command(lacking)}"


def _recipe_in(folder: Path) -> Written:
    """Return a run's recipe, or nothing where there is none that can be read."""
    origin = Origin(0, source=str(folder / RECIPE))
    try:
        with (folder / RECIPE).open("rb") as file:
            return read(file.read(LARGEST + 1), origin, Faults())
    except (OSError, RecipeError):
        return Written({}, origin)


def _names(values: Any) -> Iterator[str]:
    """Yield the names of all components that plain values use."""
    items: Iterable[Any] = ()
    match values:
        case dict():
            items = values.values()
            if isinstance(name := values.get("use"), str):
                yield name
        case list():
            items = values
    for item in items:
        yield from _names(item)
