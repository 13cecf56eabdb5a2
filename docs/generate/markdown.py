"""Markdown: paragraphs, tables, and options as a table."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

from mousai_kit.core.interfaces import KINDS

HEAD = ("option", "type", "range", "default", "meaning")


def paragraphs(documented: Any) -> str:
    """Return a docstring with one line per paragraph; lists stay lists."""
    return reflowed(inspect.getdoc(documented) or "")


def reflowed(text: str) -> str:
    """Return text with one line per paragraph; lists stay lists."""
    parts = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(part if part.startswith("- ") else " ".join(part.split()) for part in parts)


def option_table(facts: Sequence[dict[str, str]], *, kinds: str) -> str:
    """Return options as a table, in which a kind leads to its page in the folder `kinds`."""
    return table(
        HEAD,
        (
            [
                f"`{fact['name']}`",
                " | ".join(_linked(name, kinds) for name in fact["type"].split(" | ")),
                fact["range"],
                "its keys' own" if fact["default"] in ("{}", "see below") else fact["default"],
                fact["description"],
            ]
            for fact in facts
        ),
    )


def _linked(name: str, folder: str) -> str:
    """Return a type's name, as a link where it is a kind."""
    before, _, last = name.rpartition(" ")
    link = f"[{last}]({folder}/{last}.md)".replace("(./", "(") if last in KINDS else last
    return f"{before} {link}".lstrip()


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a bar in a cell does not end the cell."""
    return "\n".join(_row(row) for row in [head, ["---"] * len(head), *rows])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
