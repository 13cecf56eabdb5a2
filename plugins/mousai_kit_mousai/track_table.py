"""Track table: what is known of very many tracks in little memory, which processes can share."""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from pathlib import Path

import numpy as np

import mousai_kit.api as mk


class TrackTable:
    """Tracks of one folder, a row each, kept as bytes and made into `Track` when asked for.

    A hundred thousand take about 15 MB, which a process that is forked off does not copy.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seconds = array("d")
        self._texts = bytearray()
        self._ends = array("Q", [0])

    def add(self, path: bytes, seconds: float, said: str) -> None:
        """Append a track by its path within the folder, with what `format_caption` made of it."""
        self._seconds.append(seconds)
        self._texts += path + b"\0" + said.encode()
        self._ends.append(len(self._texts))

    def names(self) -> Iterator[str]:
        """Yield the tracks' names."""
        return (_name(self._text(place)[0]) for place in range(len(self._seconds)))

    def tracks(self) -> mk.TrackList:
        """Return all tracks."""
        return mk.TrackList(self.track, np.arange(len(self._seconds)))

    def track(self, row: int) -> mk.Track:
        """Return the track of a row."""
        path, text = self._text(row)
        about, licence = parse_caption(text.decode())
        within = os.fsdecode(path)
        return mk.Track(self.folder / within, _name(path), self._seconds[row], about, licence)

    def _text(self, place: int) -> tuple[bytes, bytes]:
        """Return a track's path within the folder, and what is said of it."""
        row = bytes(self._texts[self._ends[place] : self._ends[place + 1]])
        path, _, text = row.partition(b"\0")
        return path, text


def format_caption(about: mk.AnyCaption, licence: str, unused: Sequence[str] = ()) -> str:
    """Return as text what is known of a track, and which keys beside it no caption takes."""
    plain: object = about
    if isinstance(about, mk.CaptionFields):
        plain = list(astuple(about))
    elif isinstance(about, tuple):
        plain = {"several": about}
    parts = [plain, licence, *([list(unused)] if unused else [])]
    return json.dumps(parts, ensure_ascii=True, separators=(",", ":"))


def parse_caption(text: str) -> tuple[mk.AnyCaption, str]:
    """Return what is known of a track from text; ValueError or TypeError where it is none."""
    about, licence, *_ = json.loads(text)
    if isinstance(about, dict):
        about = tuple(about["several"])
    return mk.CaptionFields(*about) if isinstance(about, list) else about, str(licence)


def parse_unused_keys(text: str) -> list[str]:
    """Return the keys beside a track that no caption takes, from what `format_caption` made."""
    return json.loads(text)[2] if text.endswith("]]") else []


def _name(path: bytes) -> str:
    """Return a track's name: its path within the folder, on one line."""
    text = os.fsdecode(path)
    return text if text.isprintable() else mk.display_path(Path(text))
