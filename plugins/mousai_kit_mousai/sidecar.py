"""Sidecar: what a `song.txt` or `song.json` beside `song.flac` says of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from errno import ENAMETOOLONG
from pathlib import Path

import mousai_kit.api as mk

WHOLE = ("caption", "prompt")
"""Keys of a JSON sidecar that hold a whole caption."""
ENDINGS = (".txt", ".json")
"""What a sidecar's name ends with."""


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What a sidecar says: a caption or fields, None where neither, and a licence, if any."""

    about: mk.Fields | str | None = None
    licence: str = ""


def sidecar(path: Path) -> Sidecar:
    """Return what a file's sidecar says; nothing where it has none, or an empty one.

    A text sidecar goes before a JSON one. AudioError, which names the audio file, for a sidecar
    that can't be read: training with a wrong caption is worse than without the file.
    """
    for ending, understood in zip(ENDINGS, (_text, _json), strict=True):
        file = path.with_suffix(ending)
        try:
            found = understood(file.read_text(encoding="utf-8-sig")) if file.exists() else None
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
        if found is not None:
            return found
    return Sidecar()


def _text(content: str) -> Sidecar | None:
    return Sidecar(content.strip()) if content.strip() else None


def _json(content: str) -> Sidecar:
    """Return what a JSON sidecar says; ValueError where that is nothing."""
    try:
        values = json.loads(content)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"not JSON: {error.msg} at {place}") from None
    if not isinstance(values, dict):
        raise ValueError("no JSON object with fields by name")
    licence = mk.licence_of(values)
    for key in WHOLE:
        if isinstance(caption := values.get(key), str) and caption.strip():
            return Sidecar(caption.strip(), licence)
    fields = mk.Fields.of(values)
    if not (fields or licence):
        keys = ", ".join((*WHOLE, *mk.Fields.__dataclass_fields__))
        raise ValueError(f"none of the keys {keys} says anything")
    return Sidecar(fields or None, licence)


def _fault(path: Path, file: Path, reason: str) -> mk.AudioError:
    name = mk.shown(Path(file.name))
    return mk.AudioError(
        mk.Problem(mk.shown(path), "", f"its sidecar {name} can't be used ({reason})")
    )
