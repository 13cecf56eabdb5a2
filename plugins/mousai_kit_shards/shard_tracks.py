"""Shard tracks: the samples of many shards as one table of tracks, made as they are asked for.

A million of them are a few arrays, which workers share, and no object each.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import mousai_kit.api as mk
from mousai_kit_shards.members import Member
from mousai_kit_shards.shard_index import Shard, ShardIndex


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardTrack(mk.Track):
    """A track in a shard. Its name is its key, so that it is cropped alike in any other shard."""

    shard: Shard
    audio: Member
    text: Member | None


class ShardTable:
    """The samples of shards, a row each, counted through all shards."""

    def __init__(self, indexes: Sequence[ShardIndex]) -> None:
        self.indexes = indexes
        self.starts = np.cumsum([0, *(len(index.arrays["seconds"]) for index in indexes)])

    def tracks(self) -> mk.TrackList:
        """Return all tracks."""
        return mk.TrackList(self.track, np.arange(self.starts[-1]))

    def track(self, row: int) -> ShardTrack:
        """Return the track of a row."""
        place = int(np.searchsorted(self.starts, row, side="right")) - 1
        return _track(self.indexes[place], row - int(self.starts[place]))

    def keys(self) -> Iterator[str]:
        """Yield the key of each row."""
        for index in self.indexes:
            for row in range(len(index.arrays["ends"])):
                yield _shown_key(_name(index, row))


def _track(index: ShardIndex, row: int) -> ShardTrack:
    name, shard = _name(index, row), index.shard
    offset, size, text_offset, text_size, kind = map(int, index.arrays["numbers"][row])
    audio = Member(name, offset, size)
    text = Member(f"{audio.key}{mk.SIDECAR_SUFFIXES[kind]}", text_offset, text_size)
    return ShardTrack(
        shard.path / name,
        _shown_key(name),
        float(index.arrays["seconds"][row]),
        shard=shard,
        audio=audio,
        text=text if text_size >= 0 else None,
    )


def _name(index: ShardIndex, row: int) -> str:
    """Return the name of the member that is a row's audio."""
    ends = index.arrays["ends"]
    start = int(ends[row - 1]) if row else 0
    return os.fsdecode(index.arrays["names"][start : int(ends[row])].tobytes())


def _shown_key(name: str) -> str:
    key = Member(name, 0, 0).key
    return key if key.isprintable() else mk.display_path(Path(key))
