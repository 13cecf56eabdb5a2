"""Music index: the tracks of a folder by their headers, and why other files are left out."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import mousai_kit.api as mk
from mousai_kit_mousai.index_file import IndexFile, Row
from mousai_kit_mousai.music_files import READ, MusicFile, music_files, problem
from mousai_kit_mousai.sidecar import sidecar
from mousai_kit_mousai.track_table import TrackTable, format_caption, parse_unused_keys

THREADS = 8
"""Headers read at a time: the wait is for the disk."""
CHUNK = 512
"""Files that are looked up, read and kept together: what was read stays read after Ctrl-C."""
LISTED = 10
"""Reasons given where no file can be used."""


def index(folder: Path, file: IndexFile) -> tuple[TrackTable, list[mk.Problem], list[mk.Problem]]:
    """Return the tracks of a folder, what is wrong with each file that can't be used, and notes.

    What is not in the index file, or has changed, is read and kept. AudioError where no file can
    be used.
    """
    skipped, notes = list[mk.Problem](), list[mk.Problem]()
    tracks, seen, unused = TrackTable(folder), set[int](), Counter[str]()
    files = music_files(folder, skipped, notes)
    with ThreadPoolExecutor(THREADS) as pool:
        while chunk := list(islice(files, CHUNK)):
            for entry in _entries(folder, chunk, file, pool):
                if isinstance(entry, mk.Problem):
                    skipped.append(entry)
                else:
                    tracks.add(entry.path, entry.seconds, entry.said)
                    seen.add(hash(entry.path))
                    unused.update(parse_unused_keys(entry.said))
    file.forget(lambda path: hash(path) in seen)
    if not seen:
        raise _without_music(folder, skipped)
    notes += mk.unused_keys_told(mk.display_path(folder), unused)
    return tracks, skipped, notes


def check_music_folder(folder: Path) -> None:
    """Raise AudioError where a folder of music is none."""
    if not folder.is_dir():
        where = "" if folder.is_absolute() else f" in {mk.display_path(Path.cwd())}"
        what = "is no folder" if folder.exists() else f"there is no such folder{where}"
        raise mk.audio_error(folder, f"{what}; `path` names the folder of your music")


def _entries(
    folder: Path, chunk: Sequence[MusicFile], file: IndexFile, pool: ThreadPoolExecutor
) -> Iterator[Row | mk.Problem]:
    """Yield what is known of files, in their order; keep what had to be read."""
    start = len(os.path.join(folder, ""))  # noqa: PTH118 - the walk's own way
    paths = [os.fsencode(header.path[start:]) for header in chunk]
    kept = file.tracks(paths)
    known = {
        path: kept[path]
        for path, status in zip(paths, chunk, strict=True)
        if status.audio and path in kept and kept[path].stamp == _stamp(status)
    }
    new = {path: header for path, header in zip(paths, chunk, strict=True) if path not in known}
    read = dict(zip(new, pool.map(_read_track, new, new.values()), strict=True))
    file.keep_tracks([row for row in read.values() if isinstance(row, Row)])
    return (known.get(path) or read[path] for path in paths)


def _stamp(file: MusicFile) -> str:
    return f"{file.audio}|{file.beside}"


def _read_track(path: bytes, file: MusicFile) -> Row | mk.Problem:
    """Return a track by its header, sidecar and tags, or what is wrong with one of them."""
    place = Path(file.path)
    try:
        seconds, beside = mk.audio_info(place).seconds, sidecar(place, file.sidecars, file.row)
    except mk.AudioError as error:
        return error.problems[0]
    tags = mk.read_tags(place)
    about = mk.CaptionFields.of(tags) if beside.about is None else beside.about
    licence = beside.licence or mk.licence_from_tags(tags)
    return Row(path, _stamp(file), seconds, format_caption(about, licence, beside.unused))


def _without_music(folder: Path, skipped: list[mk.Problem]) -> mk.AudioError:
    """Return the error for a folder without one track that can be used."""
    if not skipped:
        known = ", ".join(READ)
        return mk.audio_error(folder, f"holds no music, nor do folders in it ({known})")
    more = len(skipped) - LISTED
    return mk.AudioError(
        problem(folder, "holds no music that can be used:"),
        *skipped[:LISTED],
        *([problem(folder, f"{more} more files can't be used")] if more > 0 else []),
    )
