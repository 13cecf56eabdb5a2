"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return a table in Markdown; cells are in one line, and hold no column mark."""
    ruled = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in ruled)


def cell(text: str) -> str:
    """Return a text as a cell: in one line, its column marks escaped."""
    return " ".join(text.split()).replace("|", "\\|")
