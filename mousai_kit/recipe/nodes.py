"""Values that remember where they were written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from mousai_kit.core.errors import Problem, RecipeError, escape_control_chars, format_path, shorten

KeyPath = tuple[str | int, ...]
"""Keys and list indices that lead to a value."""

MOST = 100
"""Faults that are told at a time."""


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """Where something was written; sorted as it is read: the recipe, what it extends, `--set`."""

    rank: int
    line: int = 0
    """Counted from 1; 0 is the whole source."""
    column: int = 0
    source: str = ""
    """The file as the user gave it, or a `--set` argument."""
    has_lines: bool = True
    folder: Path | None = field(default=None, compare=False)
    """The folder that relative paths in it are in; None: the one where the command is started."""

    def at(self, line: int, column: int = 0) -> Location:
        """Return a place in the same source; an argument has only itself."""
        return replace(self, line=line, column=column) if self.has_lines else self

    def __str__(self) -> str:
        return f"{self.source}:{self.line}" if self.line else self.source


@dataclass(frozen=True, slots=True)
class Node:
    """A scalar, a list or a mapping, whose items are `Node` again, and its origin."""

    value: Any
    origin: Location

    def plain(self) -> Any:
        """Return the plain value, without origins."""
        match self.value:
            case Mapping():
                return {key: item.plain() for key, item in self.value.items()}
            case list():
                return [item.plain() for item in self.value]
            case _:
                return self.value

    def origin_of(self, place: KeyPath) -> Location:
        """Return where the value at a place was written, or else the nearest around it."""
        if not place:
            return self.origin
        try:
            return self.value[place[0]].origin_of(place[1:])
        except (KeyError, IndexError, TypeError, AttributeError):
            return self.origin


class Notice(NamedTuple):
    """A line for a recipe's author, who need do nothing yet."""

    origin: Location
    problem: Problem


@dataclass(slots=True)
class ProblemCollector:
    """What is wrong so far: every fault is told, in the order in which the sources are read."""

    found: list[tuple[Location, Problem]] = field(default_factory=list)

    def add(self, origin: Location, place: KeyPath, message: str) -> None:
        """Note a fault and go on."""
        problem = Problem(
            _shorten(str(origin)), _shorten(format_path(place)), escape_control_chars(message)
        )
        self.found.append((origin, problem))

    def fatal(self, origin: Location, place: KeyPath, message: str) -> RecipeError:
        """Return the error to raise for a fault that keeps the rest from being read."""
        self.add(origin, place, message)
        return self.error()

    def error(self) -> RecipeError:
        """Return all faults as one error, or the first hundred and how many more there are."""
        ordered = sorted(self.found, key=lambda fault: fault[0])
        problems = list(dict.fromkeys(problem for _, problem in ordered))
        more = [f"and {len(problems) - MOST} more"] if len(problems) > MOST else []
        return RecipeError(*problems[:MOST], *more)


def _shorten(text: str) -> str:
    """Return text on one line, cut to 160 characters."""
    return shorten(escape_control_chars(text), 160)
