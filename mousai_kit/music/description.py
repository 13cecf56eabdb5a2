"""Description: what a text or a JSON object beside a piece of music says of it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from mousai_kit.music.captions import Fields
from mousai_kit.music.licences import licence_of

DESCRIPTIONS = (".txt", ".json")
"""Endings of files that describe the music beside them; the first that says something counts."""
WHOLE = ("caption", "prompt", "text")
"""Keys of a JSON object that hold a whole caption; of a list, its first item."""


def described(content: bytes, ending: str) -> Fields | str | None:
    """Return the fields or the caption that a .json says, or a text; None for an empty text.

    ValueError, with the reason, where that can't be known.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("not UTF-8 text") from None
    if ending != ".json":
        return text.strip() or None
    try:
        return _said(json.loads(text))
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"not JSON: {error.msg} at {place}") from None
    except RecursionError:
        raise ValueError("nested too deep") from None


def licence_in(content: bytes, ending: str) -> str:
    """Return the licence that a .json which `described` understands tells; empty: none."""
    return licence_of(json.loads(content.decode("utf-8-sig"))) if ending == ".json" else ""


def told_by(values: Mapping[str, object]) -> Fields | str:
    """Return the caption or the fields among values by name; empty where there are none."""
    for key in WHOLE:
        value = values.get(key)
        caption = value[0] if isinstance(value, list) and value else value
        if isinstance(caption, str) and caption.strip():
            return caption.strip()
    return Fields.of(values)


def _said(values: object) -> Fields | str:
    if not isinstance(values, dict):
        raise ValueError("no JSON object with fields by name")
    if not (about := told_by(values)) and not licence_of(values):
        keys = ", ".join((*WHOLE, *Fields.__dataclass_fields__))
        raise ValueError(f"none of the keys {keys} says anything")
    return about
