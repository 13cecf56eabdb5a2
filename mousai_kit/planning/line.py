"""A straight line through what was measured, to tell what was not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """`fixed` and `each` for every clip."""

    fixed: float
    each: float

    @classmethod
    def through(cls, points: Sequence[tuple[float, float]]) -> Line:
        """Return the line through the two largest of rising points; through one, from 0."""
        (x, y) = points[-1]
        if len(points) == 1:
            return cls(0.0, y / x)
        before, y_before = points[-2]
        each = max(0.0, (y - y_before) / (x - before))
        return cls(y - each * x, each)

    def no_flatter_than(self, each: float, x: float) -> Line:
        """Return a line through this one's point at `x` that rises by `each` or more."""
        each = max(self.each, each)
        return Line(self.at(x) - each * x, each)

    def at(self, x: float) -> float:
        """Return what the line says of `x`."""
        return self.fixed + self.each * x
