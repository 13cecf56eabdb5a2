"""Reading: latents from their shards, crop by crop; memory holds none but those in use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from mousai_kit.interfaces import Clip
from mousai_kit.latents.index import Index
from mousai_kit.latents.layout import Place
from mousai_kit.latents.shard import OpenShard, file_name


class LatentClips:
    """Encoded crops: for each clip of a dataset, `passes` crops, one an epoch in turn.

    Copies of it, in workers and other processes, map the same files: the system's cache holds them
    once. A clip whose first crop could not be encoded is left out; another crop that could not is
    the first one again.
    """

    def __init__(self, folder: Path, index: Index) -> None:
        self.folder, self.layout = folder, index.layout
        left_out = torch.zeros(index.layout.clips, dtype=torch.bool)
        left_out[list(index.left_out)] = True
        self.clips = (~left_out).nonzero()[:, 0]
        """Numbers in the dataset of the clips that are here."""
        self._open: dict[int, OpenShard] = {}

    def __len__(self) -> int:
        return len(self.clips)

    def clip(self, index: int, epoch: int = 0) -> Clip:
        """Return the latents [c, frames] of a clip as it was cropped in an epoch."""
        shard, position = self._found(int(self.clips[index]), epoch)
        return shard.clip(position)

    def captions(self) -> Iterator[str]:
        """Yield the caption of every crop, one pass after another."""
        for epoch in range(self.layout.passes):
            for number in self.clips.tolist():
                shard, position = self._found(number, epoch)
                yield shard.text(position)

    def kept(self, place: Place) -> Clip | None:
        """Return a crop by its clip's number in the dataset; None where it could not be encoded."""
        number, position = self.layout.find(place)
        shard = self._shard(number)
        return shard.clip(position) if shard.has(position) else None

    def _found(self, clip: int, epoch: int) -> tuple[OpenShard, int]:
        number, position = self.layout.find((clip, epoch % self.layout.passes))
        if not self._shard(number).has(position):
            number, position = self.layout.find((clip, 0))
        return self._shard(number), position

    def _shard(self, number: int) -> OpenShard:
        if number not in self._open:
            self._open[number] = OpenShard(self.folder / file_name(number))
        return self._open[number]

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_open": {}}
