"""Track list: very many tracks in little memory, which processes can share."""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import overload

import mousai_kit.api as mk


class TrackList(Sequence[mk.Track]):
    """Tracks of one folder, kept as bytes and made into `Track` when asked for.

    A hundred thousand take about 15 MB, which a process that is forked off does not copy.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seconds = array("d")
        self._texts = bytearray()
        self._ends = array("Q", [0])

    def add(self, path: bytes, seconds: float, said: str) -> None:
        """Append a track by its path within the folder, with what `said` made of it."""
        self._seconds.append(seconds)
        self._texts += path + b"\0" + said.encode()
        self._ends.append(len(self._texts))

    def names(self) -> Iterator[str]:
        """Yield the tracks' names."""
        return (_name(self._text(place)[0]) for place in range(len(self)))

    def where(self, wanted: Iterable[bool]) -> TrackList:
        """Return the tracks that are wanted, told in their order."""
        kept = TrackList(self.folder)
        for place, good in enumerate(wanted):
            if good:
                path, text = self._text(place)
                kept.add(path, self._seconds[place], text.decode())
        return kept

    def __len__(self) -> int:
        return len(self._seconds)

    @overload
    def __getitem__(self, place: int) -> mk.Track: ...
    @overload
    def __getitem__(self, place: slice) -> list[mk.Track]: ...
    def __getitem__(self, place: int | slice) -> mk.Track | list[mk.Track]:
        """Return a track, or several."""
        if isinstance(place, slice):
            return [self[it] for it in range(*place.indices(len(self)))]
        place = range(len(self))[place]
        path, text = self._text(place)
        about, licence = understood(text.decode())
        within = os.fsdecode(path)
        return mk.Track(self.folder / within, _name(path), self._seconds[place], about, licence)

    def _text(self, place: int) -> tuple[bytes, bytes]:
        """Return a track's path within the folder, and what is said of it."""
        path, _, text = bytes(self._texts[self._ends[place] : self._ends[place + 1]]).partition(
            b"\0"
        )
        return path, text


def said(about: mk.Fields | str, licence: str) -> str:
    """Return as text what is known of a track."""
    plain = about if isinstance(about, str) else list(astuple(about))
    return json.dumps([plain, licence], ensure_ascii=True, separators=(",", ":"))


def understood(text: str) -> tuple[mk.Fields | str, str]:
    """Return what is known of a track from text; ValueError or TypeError where it is none."""
    about, licence = json.loads(text)
    return (about if isinstance(about, str) else mk.Fields(*about)), str(licence)


def _name(path: bytes) -> str:
    """Return a track's name: its path within the folder, on one line."""
    text = os.fsdecode(path)
    return text if text.isprintable() else mk.shown(Path(text))
