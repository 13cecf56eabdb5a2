"""Music index: the tracks of a folder by their headers, and why other files are left out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import mousai_kit.api as mk
from mousai_kit_mousai.sidecar import sidecar

READ = (".flac", ".mp3", ".oga", ".ogg", ".opus", ".wav")
"""Endings of the files that are read, in either case."""
UNREAD = (".aac", ".aif", ".aiff", ".ape", ".m4a", ".wma", ".wv")
"""Endings of music that is left out, which is said."""
THREADS = 8
"""Headers read at a time: the wait is for the disk."""
LISTED = 10
"""Reasons given where no file can be used."""


@dataclass(frozen=True, slots=True)
class MusicIndex:
    """What a folder holds: tracks that can be used, and what is wrong with each other file."""

    tracks: list[mk.Track]
    skipped: list[mk.Problem]


def index(folder: Path) -> MusicIndex:
    """Read the headers and sidecars of a folder's music; AudioError where none can be used."""
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "there is no such folder"
        raise mk.AudioError(_problem(folder, f"{what}; `path` names the folder of your music"))
    skipped: list[mk.Problem] = []
    files = list(_files(folder, skipped))
    tracks: list[mk.Track] = []
    with ThreadPoolExecutor(THREADS) as pool:
        for entry in pool.map(lambda file: _entry(folder, file), files):
            if isinstance(entry, mk.Track):
                tracks.append(entry)
            else:
                skipped.append(entry)
    if not tracks:
        raise _without_music(folder, skipped)
    return MusicIndex(tracks, skipped)


def _files(folder: Path, skipped: list[mk.Problem]) -> Iterator[Path]:
    """Yield a folder's music in a fixed order; what several links lead to, once."""
    seen: set[tuple[int, int]] = set()
    for place, names in _folders(folder, skipped):
        for name in sorted(names):
            path, ending = place / name, Path(name).suffix.lower()
            if name.startswith(".") or ending not in READ + UNREAD:
                continue
            if ending in UNREAD:
                skipped.append(_problem(path, f"{ending} files are not read; convert it to FLAC"))
            elif path.exists() and not path.is_file():
                skipped.append(_problem(path, "is no regular file; leave it out"))
            elif (identity := _identity(path)) not in seen:
                seen.update([identity] if identity else [])
                yield path


def _folders(folder: Path, skipped: list[mk.Problem]) -> Iterator[tuple[Path, list[str]]]:
    """Yield (folder, names of its files) for a folder and all within it, hidden ones left out."""

    def unlisted(error: OSError) -> None:
        skipped.append(_problem(Path(error.filename), f"can't be listed ({error.strerror})"))

    seen: set[tuple[int, int] | None] = set()
    for place, folders, names in os.walk(folder, onerror=unlisted, followlinks=True):
        here = Path(place)
        identity = _identity(here)
        if identity in seen:
            folders.clear()
            continue
        seen.add(identity)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield here, names


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file or folder from all others, by whatever link it is reached."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _entry(folder: Path, path: Path) -> mk.Track | mk.Problem:
    """Return a track by its header and sidecar, or what is wrong with one of them."""
    try:
        seconds = mk.probe(path).seconds
        return mk.Track(path, mk.shown(path.relative_to(folder)), seconds, sidecar(path))
    except mk.AudioError as error:
        return error.problems[0]


def _without_music(folder: Path, skipped: list[mk.Problem]) -> mk.AudioError:
    """Return the error for a folder without one track that can be used."""
    if not skipped:
        known = ", ".join(READ)
        return mk.AudioError(_problem(folder, f"holds no music, nor do folders in it ({known})"))
    more = len(skipped) - LISTED
    return mk.AudioError(
        _problem(folder, "holds no music that can be used:"),
        *skipped[:LISTED],
        *([_problem(folder, f"{more} more files can't be used")] if more > 0 else []),
    )


def _problem(path: Path, message: str) -> mk.Problem:
    return mk.Problem(mk.shown(path), "", message)
