"""Sidecar: what a `song.txt` or `song.json` beside `song.flac` says of it.

Rows: what a `metadata.csv` or `metadata.jsonl` says of songs in its folder and below, as in the
folders of audio that Hugging Face's package datasets reads.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
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
        self._unpaired = dict.fromkeys(filter(_may_be_caption, sorted(names)))
        self._music = False
        pairs = (splitext(name) for name in sorted(names))  # noqa: PTH122 - a hundred thousand
        self._exact = set(names)
        self._alike = {
            normalize("NFC", stem) + ending.lower(): stem + ending
            for stem, ending in pairs
            if ending.lower() in mk.SIDECAR_SUFFIXES
        }

    def of(self, song: str) -> tuple[str, ...]:
        """Return the names of a song's sidecars, the first to be asked first."""
        self._music = True
        if not self._alike:
            return ()
        stems = (splitext(song)[0], song)  # noqa: PTH122
        wanted = (stem + ending for ending in mk.SIDECAR_SUFFIXES for stem in stems)
        alike = self._alike
        found = (n if n in self._exact else alike.get(normalize("NFC", n)) for n in wanted)
        own = tuple(filter(None, found))
        for name in own:
            self._unpaired.pop(name, None)
        return own

    def without_music(self) -> list[str]:
        """Return the names of captions that no song asked for, where there is a song at all."""
        return [*self._unpaired] if self._music else []


ABOUT = ("readme", "license", "licence", "copying", "credits", "changelog", "metadata", "index")
"""Names of texts that are about a folder, not a song."""


def _may_be_caption(name: str) -> bool:
    stem, ending = splitext(name.lower())  # noqa: PTH122
    return ending in mk.SIDECAR_SUFFIXES and not stem.startswith((".", *ABOUT))


def read_rows(file: Path) -> tuple[dict[str, str], list[tuple[int, str]]]:
    """Return what a metadata file tells of songs, as JSON, by their `plain_path`s.

    Beside it, of each row that can't be used, the line's number with the reason. ValueError, with
    the reason, where none can be used.
    """
    found, bad = dict[str, str](), list[tuple[int, str]]()
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            table = file.suffix.lower() == ".csv"
            for number, values in _csv_rows(lines) if table else _json_rows(lines):
                if isinstance(values, dict) and isinstance(values.get("file_name"), str):
                    name, _ = values.pop("file_name"), values.pop("", None)
                    found[plain_path(str(file.parent / name))] = json.dumps(values)
                else:
                    bad.append((number, "is not JSON" if values is None else "has no 'file_name'"))
    except UnicodeDecodeError:
        raise ValueError("not UTF-8 text") from None
    except (OSError, csv.Error, RecursionError) as error:
        raise ValueError(mk.error_summary(error)) from None
    if bad and not found:
        raise ValueError(f"line {bad[0][0]} {bad[0][1]}")
    return found, bad


def _csv_rows(lines: Iterable[str]) -> Iterator[tuple[int, object]]:
    """Yield the rows of a table, each with the number of its last line."""
    told = csv.DictReader(lines, restkey="")
    if "file_name" not in (told.fieldnames or ["file_name"]):
        raise ValueError("it has no column 'file_name'")
    return ((told.line_num, values) for values in told)


def _json_rows(lines: Iterable[str]) -> Iterator[tuple[int, object]]:
    """Yield the value of each line that is not blank, with its number; None where it is no JSON."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except json.JSONDecodeError:
                yield number, None


def plain_path(path: str) -> str:
    """Return a path with its accents and its way written in one of their spellings."""
    return normalize("NFC", normpath(path))


def _fault(path: Path, file: Path, reason: str) -> mk.AudioError:
    name = mk.display_path(Path(file.name))
    return mk.audio_error(path, f"its sidecar {name} can't be used ({reason})")
