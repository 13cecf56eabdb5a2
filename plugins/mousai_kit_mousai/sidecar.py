"""Sidecar: what a `song.txt` or `song.json` beside `song.flac` says of it."""

from __future__ import annotations

from errno import ENAMETOOLONG
from pathlib import Path

import mousai_kit.api as mk


def sidecar(path: Path) -> mk.Fields | str | None:
    """Return a file's caption or fields from its sidecar; None where it has none, or an empty one.

    A text sidecar goes before a JSON one. AudioError, which names the audio file, for a sidecar
    that can't be read: training with a wrong caption is worse than without the file.
    """
    for ending in mk.DESCRIPTIONS:
        file = path.with_suffix(ending)
        try:
            about = mk.described(file.read_bytes(), ending) if file.exists() else None
        except OSError as error:
            if error.errno == ENAMETOOLONG:  # so there is none
                continue
            raise _fault(path, file, str(error.strerror)) from None
        except ValueError as error:
            raise _fault(path, file, str(error)) from None
        if about:
            return about
    return None


def _fault(path: Path, file: Path, reason: str) -> mk.AudioError:
    name = mk.shown(Path(file.name))
    return mk.AudioError(
        mk.Problem(mk.shown(path), "", f"its sidecar {name} can't be used ({reason})")
    )
