"""Sidecar: what a `song.txt` or `song.json` beside `song.flac` says of it."""

from __future__ import annotations

from dataclasses import dataclass
from errno import ENAMETOOLONG
from pathlib import Path

import mousai_kit.api as mk


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What a sidecar says: a caption or fields, None where neither, and a licence, if any."""

    about: mk.CaptionFields | str | None = None
    licence: str = ""


def sidecar(path: Path) -> Sidecar:
    """Return what a file's sidecar says; nothing where it has none, or an empty one.

    A text sidecar goes before a JSON one. AudioError, which names the audio file, for a sidecar
    that can't be read: training with a wrong caption is worse than without the file.
    """
    for ending in mk.SIDECAR_SUFFIXES:
        file = path.with_suffix(ending)
        try:
            if not file.exists():
                continue
            content = file.read_bytes()
            about = mk.parse_sidecar(content, ending)
        except OSError as error:
            if error.errno == ENAMETOOLONG:  # so there is none
                continue
            raise _fault(path, file, str(error.strerror)) from None
        except ValueError as error:
            raise _fault(path, file, str(error)) from None
        if about is not None:
            return Sidecar(about or None, mk.licence_in(content, ending))
    return Sidecar()


def _fault(path: Path, file: Path, reason: str) -> mk.AudioError:
    name = mk.display_path(Path(file.name))
    return mk.audio_error(path, f"its sidecar {name} can't be used ({reason})")
