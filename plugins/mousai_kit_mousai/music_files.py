"""Music files: what lies in a folder and can be read, each with what tells whether it changed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from os.path import splitext
from pathlib import Path
from stat import S_ISREG

import mousai_kit.api as mk
from mousai_kit_mousai.sidecar import METADATA, SidecarNames, plain_path, read_rows

READ = (".flac", ".mp3", ".oga", ".ogg", ".opus", ".wav")
"""Endings of the files that are read, in either case."""
LISTED = 4
"""Bad lines of a metadata file that are told of, with their reasons."""
UNREAD = (".aac", ".aif", ".aiff", ".ape", ".m4a", ".wma", ".wv")
"""Endings of music that is left out, which is said."""


@dataclass(frozen=True, slots=True)
class MusicFile:
    """A file that may be music. `audio` and `beside` change where it or what is said of it does.

    `audio` is empty where the file can't be looked at: it is to be opened, which tells why.
    """

    path: str
    audio: str
    beside: str = ""
    sidecars: Sequence[Path] = ()
    row: str = ""
    """What a metadata file says of it, as JSON."""


def music_files(
    folder: Path, skipped: list[mk.Problem], notes: list[mk.Problem]
) -> Iterator[MusicFile]:
    """Yield a folder's music in a fixed order; what several links lead to, once.

    What is left out goes to `skipped`, what else is to be known to `notes`.
    """
    seen, described = set[int](), dict[str, tuple[Path, str]]()
    unpaired: list[str] = []
    for place, names in _folders(folder, skipped):
        described.update(_read_metadata(Path(place), names, notes))
        beside = SidecarNames(names)
        for name in sorted(names):
            path, ending = f"{place}{os.sep}{name}", splitext(name)[1].lower()  # noqa: PTH122
            if name.startswith(".") or ending not in READ + UNREAD:
                continue
            status = _status(path)
            own = beside.of(name)
            _, row = described.pop(plain_path(path), ("", "")) if described else ("", "")
            if ending in UNREAD:
                told = f"{ending} files are not read; convert it to FLAC"
                skipped.append(problem(Path(path), told))
            elif status is not None and not S_ISREG(status.st_mode):
                skipped.append(problem(Path(path), "is no regular file; leave it out"))
            elif status is None:
                yield MusicFile(path, "")
            elif (identity := _identity(status)) not in seen:
                seen.add(identity)
                sidecars = [Path(place, found) for found in own]
                yield MusicFile(path, _stamp(status), _beside(sidecars, row), sidecars, row)
        unpaired += (f"{place}{os.sep}{name}" for name in beside.without_music())
    if unpaired:
        shown = mk.display_path(Path(unpaired[0]).relative_to(folder))
        what = f"captions share no name with music ({len(unpaired)}, the first is '{shown}')"
        notes.append(problem(folder, f"{what}; call them as the music is, or leave them be"))
    left = Counter(file for file, _ in described.values())
    for file, count in left.items():
        first = next(name for name, (origin, _) in described.items() if origin == file)
        what = f"names files that are no music here: {count} (the first is {first!r})"
        notes.append(problem(file, what))


def stamp(path: Path) -> str:
    """Return what tells whether a file changed; empty where it can't be looked at."""
    status = _status(os.fspath(path))
    return "" if status is None else _stamp(status)


def problem(path: Path, message: str) -> mk.Problem:
    """Return what is wrong with a file or folder."""
    return mk.Problem(mk.display_path(path), "", message)


def _folders(folder: Path, skipped: list[mk.Problem]) -> Iterator[tuple[str, list[str]]]:
    """Yield (folder, names of its files) for a folder and all within it, hidden ones left out."""

    def note_unlisted(error: OSError) -> None:
        skipped.append(problem(Path(error.filename), f"can't be listed ({error.strerror})"))

    seen: set[int] = set()
    for place, folders, names in os.walk(folder, onerror=note_unlisted, followlinks=True):
        status = _status(place)
        identity = -1 if status is None else _identity(status)
        if identity in seen:
            folders.clear()
            continue
        seen.add(identity)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield place, names


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116 - a hundred thousand times
    except OSError:
        return None


def _identity(status: os.stat_result) -> int:
    """Return what tells a file or folder from all others, by whatever link it is reached."""
    return status.st_dev << 64 | status.st_ino


def _stamp(status: os.stat_result) -> str:
    return f"{status.st_size} {status.st_mtime_ns}"


def _beside(sidecars: Sequence[Path], row: str) -> str:
    """Return what changes where a song's sidecars or its row do; empty where it has none."""
    stamps = [f"{file.name!a} {stamp(file)}" for file in sidecars]
    return " ".join([*stamps, *([f"row {sha256(row.encode()).hexdigest()[:16]}"] if row else [])])


def _read_metadata(
    place: Path, names: Sequence[str], notes: list[mk.Problem]
) -> Iterator[tuple[str, tuple[Path, str]]]:
    """Yield the path of each song that a folder's metadata files tell of, the file and its row."""
    for file in (place / name for name in METADATA if name in names):
        try:
            rows, bad = read_rows(file)
        except ValueError as error:
            told = f"can't be used, so that songs go by sidecars and tags ({error}); mend it"
            notes.append(problem(file, told))
            continue
        if bad:
            more = f" and {len(bad) - LISTED} more" if len(bad) > LISTED else ""
            lines = ", ".join(f"{number} ({why})" for number, why in bad[:LISTED])
            told = f"lines that can't be used are left out: {lines}{more}; mend them"
            notes.append(problem(file, told))
        yield from ((path, (file, row)) for path, row in rows.items())
