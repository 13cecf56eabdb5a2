"""Rotary positions: queries and keys turn with time (Su et al., 2021, arXiv 2104.09864).

Legend: b batch, h heads, t frames, d features of a head.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

BASE = 10_000.0
"""Frames in which the slowest pair of features makes a turn, over 2 pi."""


@dataclass(frozen=True, slots=True)
class Rotary:
    """The turns of t frames: `cos` and `sin` [t, d / 2], one angle for each pair of features."""

    cos: Tensor
    sin: Tensor

    @classmethod
    def over(cls, frames: int, features: int, *, device: torch.device) -> Rotary:
        """Return the turns of frames 0, 1, 2, ...: pair i turns by BASE^(-2 i / d) a frame."""
        pairs = torch.arange(0, features, 2, device=device) / features
        angle = torch.arange(frames, device=device)[:, None] * BASE**-pairs
        return cls(angle.cos(), angle.sin())

    def rotate(self, x: Tensor) -> Tensor:
        """Turn x [b, h, t, d]; a product of rotated vectors knows only how far apart they stand."""
        one, other = x.chunk(2, dim=3)
        cos, sin = self.cos.to(x.dtype), self.sin.to(x.dtype)
        return torch.cat([one * cos - other * sin, one * sin + other * cos], dim=3)
