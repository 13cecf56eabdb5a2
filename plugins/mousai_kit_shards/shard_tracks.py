"""Shard tracks: the samples of many shards as one sequence of tracks, made as they are asked for.

A million of them are a few arrays, which workers share, and no object each.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
import numpy.typing as npt

import mousai_kit.api as mk
from mousai_kit_shards.members import Member
from mousai_kit_shards.shard_index import Shard, ShardIndex


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardTrack(mk.Track):
    """A track in a shard. Its name is its key, so that it is cropped alike in any other shard."""

    shard: Shard
    audio: Member
    text: Member | None


class ShardTracks(Sequence[ShardTrack]):
    """The tracks of shards, or of these the `rows`, counted through all shards."""

    def __init__(
        self, indexes: Sequence[ShardIndex], rows: npt.NDArray[np.int64] | None = None
    ) -> None:
        self.indexes = indexes
        self.starts = np.cumsum([0, *(len(it.arrays["seconds"]) for it in indexes)])
        self.rows = np.arange(self.starts[-1]) if rows is None else rows

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> ShardTrack: ...

    @overload
    def __getitem__(self, index: slice) -> ShardTracks: ...

    def __getitem__(self, index: int | slice) -> ShardTrack | ShardTracks:
        """Return a track, or some of them."""
        if isinstance(index, slice):
            return ShardTracks(self.indexes, self.rows[index])
        row = int(self.rows[index])
        place = int(np.searchsorted(self.starts, row, side="right")) - 1
        return _track(self.indexes[place], row - int(self.starts[place]))

    def keys(self) -> Iterator[str]:
        """Yield the key of every track of all shards, whichever the rows are."""
        for index in self.indexes:
            for row in range(len(index.arrays["ends"])):
                yield _shown_key(_name(index, row))

    def chosen(self, mask: npt.NDArray[np.bool_]) -> ShardTracks:
        """Return the tracks for which a mask over those of all shards is true."""
        return ShardTracks(self.indexes, np.flatnonzero(mask))


def _track(index: ShardIndex, row: int) -> ShardTrack:
    name, shard = _name(index, row), index.shard
    offset, size, text_offset, text_size, kind = map(int, index.arrays["numbers"][row])
    audio = Member(name, offset, size)
    text = Member(f"{audio.key}{mk.DESCRIPTIONS[kind]}", text_offset, text_size)
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
    return key if key.isprintable() else mk.shown(Path(key))
