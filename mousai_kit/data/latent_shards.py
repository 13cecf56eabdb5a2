"""Shard: a safetensors file of latents with their captions and sources, whole or not at all.

Its bytes depend on nothing but what it holds: safetensors writes several texts of a header in any
order, so there is one.

Layout: which crop stands in which shard, told by arithmetic alone.

Reading: latents from their shards, crop by crop; memory holds none but those in use.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from mousai_kit.core.files import write_bytes
from mousai_kit.core.interfaces import Clip
from mousai_kit.data.loader import collate_extras
from mousai_kit.runs import checkpoint

EXTRA = "extra."
"""What the names of tensors begin with that clips tell besides: NaN where one does not."""
MISSING = -1
"""Row of a crop that could not be encoded."""


@dataclass(frozen=True, slots=True)
class ShardHeader:
    """What a shard says of itself."""

    made_of: str
    """Fingerprint of the weights, the music and the layout that made it."""
    digest: str
    crops: int
    faults: dict[str, str]
    """Why a clip (its number in the dataset, as text) has no crop here."""


def write_shard(path: Path, crops: Sequence[tuple[int, Clip | str]], *, made_of: str) -> None:
    """Write clips of latents, each with its number in the dataset; a text says why one is none."""
    there = [clip for _, clip in crops if isinstance(clip, Clip)]
    numbers = count()
    rows = [next(numbers) if isinstance(clip, Clip) else MISSING for _, clip in crops]
    tensors = {
        "latents": torch.stack([clip.wave for clip in there]) if there else torch.zeros(0),
        "rows": torch.tensor(rows, dtype=torch.int32),
        **_pack_strings("texts", [clip.text for clip in there]),
        **_pack_strings("sources", [clip.source for clip in there]),
        **{f"{EXTRA}{name}": data for name, data in collate_extras(there).items()},
    }
    faults = {str(number): line for number, line in crops if isinstance(line, str)}
    header = ShardHeader(made_of, checkpoint.digest(tensors), len(there), faults)
    write_bytes(path, save(tensors, metadata={"shard": json.dumps(asdict(header))}))


def shard_header(path: Path) -> ShardHeader | None:
    """Return what a shard says of itself, None where it can't be read."""
    try:
        with safe_open(path, framework="pt") as file:
            return ShardHeader(**json.loads((file.metadata() or {})["shard"]))
    except (SafetensorError, OSError, ValueError, KeyError, TypeError):
        return None


def is_whole(path: Path, found: ShardHeader) -> bool:
    """Return whether a shard holds what it held when it was written; all of it is read."""
    try:
        return checkpoint.digest(load_file(path)) == found.digest
    except (SafetensorError, OSError):
        return False


class ShardReader:
    """A shard from which crops are read one at a time; the file is mapped, not loaded."""

    def __init__(self, path: Path) -> None:
        with safe_open(path, framework="pt") as file:
            self._latents = file.get_slice("latents")
            self._strings = {name: file.get_slice(name) for name in ("texts", "sources")}
            self._rows = file.get_tensor("rows").tolist()
            extras = [name for name in file.keys() if name.startswith(EXTRA)]  # noqa: SIM118
            self._extras = {name.removeprefix(EXTRA): file.get_slice(name) for name in extras}
            self._ends = {name: file.get_tensor(f"{name}.ends") for name in ("texts", "sources")}

    def has(self, position: int) -> bool:
        """Return whether the crop at a position could be encoded."""
        return bool(self._rows[position] != MISSING)

    def clip(self, position: int) -> Clip:
        """Return the latents [c, frames] at a position with their caption and source."""
        row = self._rows[position]
        found = {name: data[row] for name, data in self._extras.items()}
        extras = {name: data for name, data in found.items() if not data.isnan().any()}
        source = self._string("sources", position)
        return Clip(self._latents[row], self.text(position), source, extras=extras)

    def text(self, position: int) -> str:
        """Return the caption of the crop at a position."""
        return self._string("texts", position)

    def _string(self, name: str, position: int) -> str:
        row, ends = self._rows[position], self._ends[name]
        part = self._strings[name][int(ends[row]) : int(ends[row + 1])]
        return bytes(part.tolist()).decode("utf-8", "surrogatepass")


def _pack_strings(name: str, strings: Sequence[str]) -> dict[str, Tensor]:
    """Return strings as bytes one after another, and where each ends, from 0 on."""
    data = [string.encode("utf-8", "surrogatepass") for string in strings]
    ends = torch.tensor([0, *(len(item) for item in data)]).cumsum(0)
    together = torch.from_numpy(np.array(bytearray(b"".join(data)), dtype=np.uint8))
    return {name: together, f"{name}.ends": ends}


def shard_file_name(number: int) -> str:
    """Return what the shard of a number is called."""
    return f"{number:05d}.safetensors"


GROUP = 8
"""Crops encoded at a time. A shard holds whole groups, so that its bytes depend on no other's."""
SHARD_BYTES = 64 * 2**20
"""Size of a shard's latents, at most: what an encoding that is ended at any instant has to redo."""
SHARD_CROPS = 1024
"""Crops in a shard, at most, however small they are."""

CropKey = tuple[int, int]
"""A crop: the number of its clip in the dataset, and the pass (an epoch) in which it is drawn."""


@dataclass(frozen=True, slots=True)
class ShardLayout:
    """`passes` crops of each of `clips` clips. A shard holds neighbours of one pass.

    A further pass is further shards: those of the passes before stay as they are.
    """

    clips: int
    passes: int
    per_shard: int

    @classmethod
    def of(cls, clips: int, passes: int, *, crop_bytes: int) -> ShardLayout:
        """Return the layout for crops of so many bytes."""
        most = min(SHARD_BYTES // crop_bytes, SHARD_CROPS)
        return cls(clips, passes, max(GROUP, most // GROUP * GROUP))

    @property
    def shards(self) -> int:
        """Return the number of shards."""
        return self.passes * self._per_pass

    @property
    def groups(self) -> int:
        """Return the number of groups that are encoded."""
        return self.passes * -(-self.clips // GROUP)

    def clips_of(self, shard: int) -> range:
        """Return the clips whose crops stand in a shard."""
        first = shard % self._per_pass * self.per_shard
        return range(first, min(first + self.per_shard, self.clips))

    def groups_in(self, shard: int) -> int:
        """Return the number of groups in a shard."""
        return -(-len(self.clips_of(shard)) // GROUP)

    def groups_of(self, shard: int) -> Iterator[list[CropKey]]:
        """Yield the places that are encoded together, all of one pass."""
        clips, epoch = self.clips_of(shard), shard // self._per_pass
        for first in range(0, len(clips), GROUP):
            yield [(clip, epoch) for clip in clips[first : first + GROUP]]

    def find(self, place: CropKey) -> tuple[int, int]:
        """Return a crop's shard and its position within."""
        clip, epoch = place
        return epoch * self._per_pass + clip // self.per_shard, clip % self.per_shard

    @property
    def _per_pass(self) -> int:
        return -(-self.clips // self.per_shard)


class LatentDataset:
    """Encoded crops: for each clip of a dataset, `passes` crops, one an epoch in turn.

    Copies of it, in workers and other processes, map the same files: the system's cache holds them
    once. A clip whose first crop could not be encoded is left out; another crop that could not is
    the first one again.
    """

    def __init__(self, folder: Path, layout: ShardLayout, left_out: Sequence[int]) -> None:
        self.folder, self.layout = folder, layout
        there = torch.ones(layout.clips, dtype=torch.bool)
        there[list(left_out)] = False
        self.clips = there.nonzero()[:, 0]
        """Numbers in the dataset of the clips that are here."""
        self._open: dict[int, ShardReader] = {}

    def __len__(self) -> int:
        return len(self.clips)

    def clip(self, index: int, epoch: int = 0) -> Clip:
        """Return the latents [c, frames] of a clip as it was cropped in an epoch."""
        shard, position = self._find(int(self.clips[index]), epoch)
        return shard.clip(position)

    def captions(self) -> Iterator[str]:
        """Yield the caption of every crop, one pass after another."""
        for epoch in range(self.layout.passes):
            for number in self.clips.tolist():
                shard, position = self._find(number, epoch)
                yield shard.text(position)

    def cached_clip(self, place: CropKey) -> Clip | None:
        """Return a crop by its clip's number in the dataset; None where it could not be encoded."""
        number, position = self.layout.find(place)
        shard = self._shard(number)
        return shard.clip(position) if shard.has(position) else None

    def _find(self, clip: int, epoch: int) -> tuple[ShardReader, int]:
        number, position = self.layout.find((clip, epoch % self.layout.passes))
        if not self._shard(number).has(position):
            number, position = self.layout.find((clip, 0))
        return self._shard(number), position

    def _shard(self, number: int) -> ShardReader:
        if number not in self._open:
            self._open[number] = ShardReader(self.folder / shard_file_name(number))
        return self._open[number]

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_open": {}}
