"""Shard: a safetensors file of latents with their captions and sources, whole or not at all.

Its bytes depend on nothing but what it holds: safetensors writes several texts of a header in any
order, so there is one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from mousai_kit import checkpoints
from mousai_kit.interfaces import Clip

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


def write(path: Path, crops: Sequence[tuple[int, Clip | str]], *, made_of: str) -> None:
    """Write clips of latents, each with its number in the dataset; a text says why one is none."""
    there = [clip for _, clip in crops if isinstance(clip, Clip)]
    rows, row = [], 0
    for _, clip in crops:
        rows.append(row if isinstance(clip, Clip) else MISSING)
        row += isinstance(clip, Clip)
    tensors = {
        "latents": torch.stack([clip.wave for clip in there]) if there else torch.zeros(0),
        "rows": torch.tensor(rows, dtype=torch.int32),
        **_packed("texts", [clip.text for clip in there]),
        **_packed("sources", [clip.source for clip in there]),
    }
    faults = {str(number): line for number, line in crops if isinstance(line, str)}
    header = {
        "made_of": made_of,
        "digest": checkpoints.digest(tensors),
        "crops": len(there),
        "faults": faults,
    }
    checkpoints.write_bytes(path, save(tensors, metadata={"shard": json.dumps(header)}))


def header(path: Path) -> ShardHeader | None:
    """Return what a shard says of itself, None where it can't be read."""
    try:
        with safe_open(path, framework="pt") as file:
            return ShardHeader(**json.loads((file.metadata() or {})["shard"]))
    except (SafetensorError, OSError, ValueError, KeyError, TypeError):
        return None


def is_whole(path: Path, found: ShardHeader) -> bool:
    """Return whether a shard holds what it held when it was written; all of it is read."""
    try:
        return checkpoints.digest(load_file(path)) == found.digest
    except (SafetensorError, OSError):
        return False


class OpenShard:
    """A shard from which crops are read one at a time; the file is mapped, not loaded."""

    def __init__(self, path: Path) -> None:
        with safe_open(path, framework="pt") as file:
            self._latents = file.get_slice("latents")
            self._strings = {it: file.get_slice(it) for it in ("texts", "sources")}
            self._rows = file.get_tensor("rows").tolist()
            self._ends = {it: file.get_tensor(f"{it}.ends") for it in ("texts", "sources")}

    def has(self, position: int) -> bool:
        """Return whether the crop at a position could be encoded."""
        return bool(self._rows[position] != MISSING)

    def clip(self, position: int) -> Clip:
        """Return the latents [c, frames] at a position with their caption and source."""
        latents = self._latents[self._rows[position]]
        return Clip(latents, self.text(position), self._string("sources", position))

    def text(self, position: int) -> str:
        """Return the caption of the crop at a position."""
        return self._string("texts", position)

    def _string(self, name: str, position: int) -> str:
        row, ends = self._rows[position], self._ends[name]
        part = self._strings[name][int(ends[row]) : int(ends[row + 1])]
        return bytes(part.tolist()).decode("utf-8", "surrogatepass")


def _packed(name: str, strings: Sequence[str]) -> dict[str, Tensor]:
    """Return strings as bytes one after another, and where each ends, from 0 on."""
    data = [string.encode("utf-8", "surrogatepass") for string in strings]
    ends = torch.tensor([0, *(len(it) for it in data)]).cumsum(0)
    return {name: _bytes(b"".join(data)), f"{name}.ends": ends}


def _bytes(data: bytes) -> Tensor:
    if not data:
        return torch.zeros(0, dtype=torch.uint8)
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)


def file_name(number: int) -> str:
    """Return what the shard of a number is called."""
    return f"{number:05d}.safetensors"
