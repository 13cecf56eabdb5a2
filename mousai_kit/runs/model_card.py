"""Model card: the Markdown beside a trained system, with a YAML front matter for the hub."""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import dropwhile, takewhile
from pathlib import Path

from mousai_kit.core.packaged import CARD

README = "README.md"
"""What the hub calls a card."""
LIBRARY = "mousai-kit"
"""What a card's front matter calls us, by which one of ours is known."""
_FENCE = "---"
_NO_PROSE = ("#", "|", "!", "<", "```", "- ")


def card_in(folder: Path) -> Path | None:
    """Return the card in the folder of a trained system, None where there is none."""
    return next((path for path in (folder / CARD, folder / README) if path.is_file()), None)


def is_ours(text: str) -> bool:
    """Return whether a card is of a publication of mousai-kit's."""
    lines = text.splitlines()
    return lines[:1] == [_FENCE] and f"library_name: {LIBRARY}" in lines[: _end(lines)]


def text_of(card: Path) -> str:
    """Return a card's Markdown, without the front matter."""
    lines = card.read_text(encoding="utf-8", errors="replace").splitlines()
    if lines[:1] == [_FENCE]:
        lines = lines[_end(lines) :]
    return "\n".join(lines).strip() + "\n"


def leave_out_sections(markdown: str, titles: Collection[str]) -> str:
    """Return Markdown without the sections (`## ...`) of these titles."""
    first, *sections = re.split(r"^(?=## )", markdown, flags=re.MULTILINE)
    kept = (text for text in sections if text.partition("\n")[0].removeprefix("## ") not in titles)
    return "".join([first, *kept])


def headline(card: Path) -> str:
    """Return the first sentence of a card's first paragraph; empty where it has none."""
    lines = [line.strip() for line in text_of(card).splitlines()]
    prose = dropwhile(lambda line: not line or line.startswith(_NO_PROSE), lines)
    paragraph = " ".join(takewhile(bool, prose))
    sentence, end, _ = paragraph.partition(". ")
    return sentence + end.strip()


def _end(lines: list[str]) -> int:
    """Return where the front matter ends that a card begins with; 0 where it does not end."""
    return lines.index(_FENCE, 1) + 1 if _FENCE in lines[1:] else 0
