"""Sidecar: what a `song.txt` or `song.json` beside `song.flac` says of it.

Rows: what a `metadata.csv` or `metadata.jsonl` says of songs in its folder and below, as in the
folders of audio that Hugging Face's package datasets reads.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from os.path import normpath, splitext
from pathlib import Path
from unicodedata import normalize

import mousai_kit.api as mk

METADATA = ("metadata.csv", "metadata.jsonl")
"""Files that say something of many songs; of a song in both, the last."""


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What a sidecar says: captions or fields, None where neither, a licence, if any, and the keys
    that no caption takes.
    """

    about: mk.AnyCaption | None = None
    licence: str = ""
    unused: Sequence[str] = ()


def sidecar(path: Path, files: Sequence[Path], row: str = "") -> Sidecar:
    """Return what a song's sidecars say, the first that says something; else its row (JSON).

    AudioError, which names the audio file, for a sidecar that can't be read: training with a wrong
    caption is worse than without the file.
    """
    for file in files:
        ending = file.suffix.lower()
        try:
            if not file.exists():
                continue
            content = file.read_bytes()
            about = mk.parse_sidecar(content, ending)
        except OSError as error:
            raise _fault(path, file, str(error.strerror)) from None
        except ValueError as error:
            raise _fault(path, file, str(error)) from None
        if about is not None:
            values = json.loads(content.decode("utf-8-sig")) if ending == ".json" else {}
            return Sidecar(about or None, mk.licence_from_tags(values), mk.unused_keys(values))
    values = json.loads(row or "{}")
    licence = mk.licence_from_tags(values)
    return Sidecar(mk.caption_from_mapping(values) or None, licence, mk.unused_keys(values))


class SidecarNames:
    """The sidecars among a folder's files, found by the names of songs.

    A song's are named as it is, with or without its ending: `song.txt`, then `song.flac.txt`, then
    the same of `.json`. Their endings may have either case, and accents may be written in either
    way (NFC, NFD).
    """

    def __init__(self, names: Sequence[str]) -> None:
        """Take the names in a folder; of those that mean the same, the exact one goes first."""
        pairs = (splitext(name) for name in sorted(names))  # noqa: PTH122 - a hundred thousand
        self._exact = set(names)
        self._alike = {
            normalize("NFC", stem) + ending.lower(): stem + ending
            for stem, ending in pairs
            if ending.lower() in mk.SIDECAR_SUFFIXES
        }

    def of(self, song: str) -> tuple[str, ...]:
        """Return the names of a song's sidecars, the first to be asked first."""
        if not self._alike:
            return ()
        stems = (splitext(song)[0], song)  # noqa: PTH122
        wanted = (stem + ending for ending in mk.SIDECAR_SUFFIXES for stem in stems)
        alike = self._alike
        found = (n if n in self._exact else alike.get(normalize("NFC", n)) for n in wanted)
        return tuple(filter(None, found))


def read_rows(file: Path) -> dict[str, str]:
    """Return what a metadata file tells of songs, as JSON, by their `plain_path`s.

    ValueError, with the reason, where that can't be known.
    """
    found, number = dict[str, str](), 0
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            told = csv.DictReader(lines, restkey="") if file.suffix.lower() == ".csv" else None
            for values in told or map(json.loads, filter(str.strip, lines)):
                number += 1
                if not isinstance(values, dict) or not isinstance(values.get("file_name"), str):
                    raise ValueError(f"row {number} has no 'file_name'")
                name, _ = values.pop("file_name"), values.pop("", None)
                found[plain_path(str(file.parent / name))] = json.dumps(values)
    except json.JSONDecodeError:
        raise ValueError(f"row {number + 1} is not JSON") from None
    except UnicodeDecodeError:
        raise ValueError("not UTF-8 text") from None
    except (OSError, csv.Error, RecursionError) as error:
        raise ValueError(mk.error_summary(error)) from None
    return found


def plain_path(path: str) -> str:
    """Return a path with its accents and its way written in one of their spellings."""
    return normalize("NFC", normpath(path))


def _fault(path: Path, file: Path, reason: str) -> mk.AudioError:
    name = mk.display_path(Path(file.name))
    return mk.audio_error(path, f"its sidecar {name} can't be used ({reason})")
