"""Licences: under which terms a piece of music may be used, as its tags say."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mousai_kit.music.captions import one_line

NAMES = ("license", "licence", "wcop", "copyright", "tcop")
"""Tags that tell a licence, the plainest first."""


def licence_of(tags: Mapping[str, object]) -> str:
    """Return the licence that tags tell, Creative Commons' by their short names; empty: none.

    A notice of copyright counts where there is nothing plainer.
    """
    found = {name.lower(): value for name, value in tags.items()}
    told = (one_line(str(found[name])).strip() for name in NAMES if found.get(name))
    return next((_short(text) for text in told if text), "")


def _short(text: str) -> str:
    """Return `CC-BY-SA-3.0` for that licence's address and its usual spellings."""
    if address := _ADDRESS.search(text):
        return "-".join(filter(None, ("CC", address[1].upper(), address[2])))
    if _ZERO.search(text):
        return "CC0-1.0"
    if words := _WORDS.fullmatch(text):
        parts = re.sub(r"[\s_]+", "-", words[1].strip()).upper()
        return "-".join(filter(None, ("CC", parts, words[2])))
    return text


_ADDRESS = re.compile(r"creativecommons\.org/licenses/([a-z-]+)(?:/(\d\.\d))?", re.IGNORECASE)
_ZERO = re.compile(r"publicdomain/zero|^CC[\s-]?0\b", re.IGNORECASE)
_WORDS = re.compile(
    r"CC[\s_-]+((?:BY|NC|ND|SA)(?:[\s_-]+(?:NC|ND|SA))*)(?:[\s_-]+v?(\d\.\d))?", re.I
)
