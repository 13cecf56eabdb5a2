"""Noise level: its features, and how layers follow it. b batch, c channels, t time, m features."""

from __future__ import annotations

from math import pi

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mousai_kit_mousai.layers.conditioning import Conditions

FREQUENCIES = 128


class NoiseEmbedding(nn.Module):
    """Learned Fourier features of sigma, then a GELU network of two layers with shared weights.

    The sharing is the published network's: it applies one layer twice.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.frequencies = nn.Parameter(torch.randn(FREQUENCIES))
        self.enter = nn.Linear(2 * FREQUENCIES + 1, features)
        self.mix = nn.Linear(features, features)

    def forward(self, sigma: Tensor) -> Tensor:
        """Map noise levels [b] to features [b, m]."""
        level = sigma[:, None]
        angle = level * self.frequencies * 2 * pi
        x = F.gelu(self.enter(torch.cat([level, angle.sin(), angle.cos()], dim=1)))
        return F.gelu(self.mix(F.gelu(self.mix(x))))


class Modulation(nn.Module):
    """Normalise the channels of each frame, then scale and shift them as the noise level says."""

    def __init__(self, channels: int, features: int) -> None:
        super().__init__()
        self.channels = channels
        self.scale_shift = nn.Linear(features, 2 * channels)

    def forward(self, x: Tensor, conditions: Conditions) -> Tensor:
        """Map x [b, t, c] to [b, t, c]."""
        scale, shift = conditions.modulation(self.scale_shift, _factor_and_shift)
        if len(scale) == 1:  # one level for the whole batch: the norm can scale and shift
            return F.layer_norm(x, (self.channels,), scale[0], shift[0], 1e-6)
        normal = F.layer_norm(x, (self.channels,), eps=1e-6)
        scale, shift = scale[:, None].to(x.dtype), shift[:, None].to(x.dtype)
        return torch.addcmul(shift, normal, scale)


def _factor_and_shift(both: Tensor) -> tuple[Tensor, Tensor]:
    """Return 1 + scale and shift, each [b, c], of scale and shift [b, 2c]."""
    scale, shift = both.chunk(2, dim=1)
    return 1 + scale, shift
