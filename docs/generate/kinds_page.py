"""The page of all kinds: their list, what holds for each of them, and what they share."""

from __future__ import annotations

from collections.abc import Iterator

from generate.interface import keywords, values
from generate.kind_page import by_hand, said
from generate.markdown import table
from mousai_kit.core.interfaces import KINDS, noise

HEAD = """\
# Kinds of part

A system is put together from parts of these kinds; a plug-in may bring parts of any of them. A
page tells what a part of its kind is given and must do, with an example, and the parts that come
with mousai-kit. The pages are written by `python docs/generate docs` from the interfaces
in `mousai_kit/core/interfaces/`; the rules and examples are by hand."""


def kinds_page(old: str) -> str:
    """Return the whole page; the part by hand is taken from the page as it was."""
    shared = ["## Noise", *values(noise)]
    return (
        "\n\n".join([HEAD, table(("kind", "does", "built with"), _rows()), by_hand(old), *shared])
        + "\n"
    )


def _rows() -> Iterator[tuple[str, ...]]:
    """Yield a row for each kind."""
    for kind, it in KINDS.items():
        yield f"[{kind}]({kind}.md)", said(kind)[1], keywords(it)
