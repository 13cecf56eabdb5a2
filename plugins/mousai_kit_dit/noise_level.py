"""Noise level: its features, and how they steer every block (Peebles & Xie, 2022: adaLN-Zero).

Legend: b batch, c features of a frame, m features of the level.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import pi

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FREQUENCIES = 128
Steering = Sequence[Tensor]
"""Scales, shifts and gates of one place in the network, each [b or 1, 1, c]."""


class NoiseLevel(nn.Module):
    """Learned Fourier features of sigma, a small network, and what it tells every block.

    What it tells is 0 before training: then a block changes nothing.
    """

    def __init__(self, *, features: int, parts: Sequence[int]) -> None:
        """Tell each of some places so many vectors of `features`."""
        super().__init__()
        self.parts = [count * features for count in parts]
        self.features = features
        self.frequencies = nn.Parameter(torch.randn(FREQUENCIES))
        self.enter = nn.Linear(2 * FREQUENCIES + 1, features)
        self.mix = nn.Linear(features, features)
        self.steer = nn.Linear(features, sum(self.parts))
        nn.init.zeros_(self.steer.weight)
        nn.init.zeros_(self.steer.bias)

    def forward(self, sigma: Tensor) -> Tensor:
        """Return all that is told of noise levels [b], as [b, vectors * c]."""
        level = sigma.to(self.enter.weight.dtype)[:, None]
        angle = level * self.frequencies * 2 * pi
        x = F.silu(self.enter(torch.cat([level, angle.sin(), angle.cos()], dim=1)))
        steering: Tensor = self.steer(F.silu(self.mix(x)))
        return steering

    def split(self, told: Tensor) -> list[Steering]:
        """Return what each place is told, of [b, vectors * c]."""
        places = told[:, None].split(self.parts, dim=2)
        return [place.split(self.features, dim=2) for place in places]


def modulated(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Return frames x [b, t, c] normalised, then scaled by 1 + scale and shifted."""
    if len(scale) == 1:  # one level for the whole batch: the norm can scale and shift
        return F.layer_norm(x, x.shape[2:], 1 + scale[0, 0], shift[0, 0], 1e-6)
    return torch.addcmul(shift, F.layer_norm(x, x.shape[2:], eps=1e-6), 1 + scale)
