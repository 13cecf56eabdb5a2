"""Latents: what a stage above the first learns from, encoded once and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mousai_kit import checkpoints
from mousai_kit.cascade import Cascade
from mousai_kit.data import Clips, readable
from mousai_kit.errors import MousaiError
from mousai_kit.interfaces import Clip

GROUP = 8
"""Clips encoded at a time."""


class LatentClips:
    """Encoded crops: for each clip of a dataset, `passes` crops, one an epoch in turn."""

    def __init__(self, latents: Tensor, texts: list[str], sources: list[str], passes: int) -> None:
        self.latents, self.texts, self.sources, self.passes = latents, texts, sources, passes

    def __len__(self) -> int:
        return len(self.latents) // self.passes

    def clip(self, index: int, epoch: int = 0) -> Clip:
        """Return the latents [c, frames] of a clip as it was cropped in an epoch."""
        place = (epoch % self.passes) * len(self) + index
        return Clip(self.latents[place], self.texts[place], self.sources[place])


def encoded(
    cascade: Cascade,
    name: str,
    clips: Clips,
    *,
    passes: int,
    path: Path,
    key: dict[str, Any],
    tick: Callable[[], None],
    report: Callable[[str], None],
) -> LatentClips | None:
    """Return the signals that stage `name` learns, from `path` where the same made them.

    None where no clip can be decoded.
    """
    if (kept := _kept(path, key)) is not None:
        return kept
    device = next(cascade.stages[name].parameters()).device
    if (good := readable(clips, report)) is None:
        return None
    crops: list[Clip] = []
    latents: list[Tensor] = []
    for drawn in _crops(good, passes):
        wave = torch.stack([clip.wave for clip in drawn]).to(device)
        latents.append(cascade.encode(wave, up_to=name).float().cpu())
        crops += drawn
        tick()
    result = LatentClips(
        torch.cat(latents), [clip.text for clip in crops], [clip.source for clip in crops], passes
    )
    header = {"key": key, "texts": result.texts, "sources": result.sources, "passes": passes}
    checkpoints.write(path, {"latents": result.latents}, header)
    return result


def _kept(path: Path, key: dict[str, Any]) -> LatentClips | None:
    """Return latents that were encoded before by the same weights from the same data."""
    try:
        tensors, header = checkpoints.read(path)
    except MousaiError:
        return None
    if header.get("key") != key:
        return None
    return LatentClips(tensors["latents"], header["texts"], header["sources"], header["passes"])


def _crops(clips: Clips, passes: int) -> Iterator[list[Clip]]:
    """Yield the crops of all passes in groups."""
    for epoch in range(passes):
        for first in range(0, len(clips), GROUP):
            group = range(first, min(first + GROUP, len(clips)))
            yield [clips.clip(index, epoch) for index in group]
