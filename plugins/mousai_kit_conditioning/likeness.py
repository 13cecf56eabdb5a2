"""Likeness of melodies: how well one sound follows the melody of another.

Legend: b clips, c channels, t time in samples.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor

import mousai_kit.api as mk
from mousai_kit_conditioning.pitch import chroma

RATE, LOWEST = 12.0, 150.0
"""Frames in a second, and the Hz below which nothing is heard."""


class MelodyLikeness(mk.Metric):
    """Likeness of melodies: 1 the same notes lead at the same time, near 0 other ones.

    The cosine between the saliences of pitch classes, less their mean, averaged over frames (12 in
    a second) that sound in either; bass and drums do not count. One that is silent in one of both
    counts 0. In any two sounds of one length it tells how well one follows the other's melody.
    """

    name = "melody"
    unit: ClassVar[str] = ""
    better: ClassVar[Literal["lower", "higher"]] = "higher"

    def __init__(self, options: mk.Options, *, sample_rate: int) -> None:
        self.sample_rate = sample_rate

    def score(self, generated: Tensor, reference: Tensor) -> float:
        """Return the mean over clips, -1 to 1, of audio [b, c, t] and [b, c, t]."""
        pairs = zip(generated.cpu(), reference.cpu(), strict=True)
        return sum(self._compare(ours, theirs) for ours, theirs in pairs) / len(generated)

    def _compare(self, generated: Tensor, reference: Tensor) -> float:
        """Return the likeness of two clips [c, t]."""
        hop = max(1, round(self.sample_rate / RATE))
        ours, theirs = (
            chroma(wave.float(), self.sample_rate, hop=hop, lowest=LOWEST).double()
            for wave in (generated, reference)
        )
        ours, theirs = ours - ours.mean(1, keepdim=True), theirs - theirs.mean(1, keepdim=True)
        sounds = (ours.norm(dim=1) > 1e-8) | (theirs.norm(dim=1) > 1e-8)
        cosine = torch.cosine_similarity(ours, theirs, dim=1).clamp(-1, 1)
        return float((cosine * sounds).sum() / sounds.sum().clamp(min=1))
