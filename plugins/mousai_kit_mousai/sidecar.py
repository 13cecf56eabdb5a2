"""Sidecar: what a `song.txt` or `song.json` beside `song.flac` says of it."""

from __future__ import annotations

import json
from errno import ENAMETOOLONG
from pathlib import Path

import mousai_kit.api as mk

WHOLE = ("caption", "prompt")
"""Keys of a JSON sidecar that hold a whole caption."""


def sidecar(path: Path) -> mk.Fields | str | None:
    """Return a file's caption or fields from its sidecar; None where it has none, or an empty one.

    A text sidecar goes before a JSON one. AudioError, which names the audio file, for a sidecar
    that can't be read: training with a wrong caption is worse than without the file.
    """
    for ending, understood in ((".txt", _text), (".json", _json)):
        file = path.with_suffix(ending)
        try:
            about = understood(file.read_text(encoding="utf-8-sig")) if file.exists() else None
        except OSError as error:
            if error.errno == ENAMETOOLONG:  # so there is none
                continue
            raise _fault(path, file, str(error.strerror)) from None
        except UnicodeDecodeError:
            raise _fault(path, file, "not UTF-8 text") from None
        except RecursionError:
            raise _fault(path, file, "nested too deep") from None
        except ValueError as error:
            raise _fault(path, file, str(error)) from None
        if about:
            return about
    return None


def _text(content: str) -> str:
    return content.strip()


def _json(content: str) -> mk.Fields | str:
    """Return what a JSON sidecar says; ValueError where that is nothing."""
    try:
        values = json.loads(content)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"not JSON: {error.msg} at {place}") from None
    if not isinstance(values, dict):
        raise ValueError("no JSON object with fields by name")
    for key in WHOLE:
        if isinstance(caption := values.get(key), str) and caption.strip():
            return caption.strip()
    if not (fields := mk.Fields.of(values)):
        keys = ", ".join((*WHOLE, *mk.Fields.__dataclass_fields__))
        raise ValueError(f"none of the keys {keys} says anything")
    return fields


def _fault(path: Path, file: Path, reason: str) -> mk.AudioError:
    name = mk.shown(Path(file.name))
    return mk.AudioError(
        mk.Problem(mk.shown(path), "", f"its sidecar {name} can't be used ({reason})")
    )
