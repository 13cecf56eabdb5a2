"""Braces: many names written as one, as a shell and the library webdataset have them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

_GROUP = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
MOST = 1_000_000
"""Names that a range may stand for."""


def expand(pattern: str) -> list[str]:
    """Return the names that a pattern stands for: `{000..099}` a range, `{a,b}` a choice.

    ValueError for braces within braces, or without a partner, and for a range without an end.
    """
    parts = _GROUP.split(pattern)
    if any(brace in part for part in parts[::2] for brace in "{}"):
        raise ValueError("braces must come in pairs, none within another")
    choices = [_choice(part) if place % 2 else [part] for place, part in enumerate(parts)]
    return ["".join(names) for names in product(*choices)]


def _choice(text: str) -> Iterator[str]:
    """Yield what stands in a pair of braces; numbers as wide as the wider of a range's two ends."""
    if not (found := _RANGE.fullmatch(text)):
        return iter(text.split(","))
    first, last = int(found[1]), int(found[2])
    if last < first or last - first >= MOST:
        raise ValueError(f"the range {{{text}}} must go up, by less than {MOST:,}")
    padded = any(end.startswith("0") and len(end) > 1 for end in found.groups())
    width = max(map(len, found.groups())) if padded else 0
    return (f"{number:0{width}}" for number in range(first, last + 1))
