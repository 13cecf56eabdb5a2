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
LEVELS = 32
"""Cosines of the noise level that a filter is made of."""
Modulation = Sequence[Tensor]
"""Scales, shifts and gates of one place in the network, each [b or 1, 1, c]."""


class LevelModulation(nn.Module):
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

    def forward(self, sigma: Tensor, summary: Tensor | None = None) -> Tensor:
        """Return all that is told of noise levels [b], as [b, vectors * c].

        A `summary` [b, c] of the text, if there is one, is told along with them.
        """
        level = sigma.to(self.enter.weight.dtype)[:, None]
        angle = level * self.frequencies * 2 * pi
        x = F.silu(self.enter(torch.cat([level, angle.sin(), angle.cos()], dim=1)))
        mixed = self.mix(x)
        return self.steer(F.silu(mixed if summary is None else mixed + summary))

    def split(self, modulation: Tensor) -> list[Modulation]:
        """Return what each place is told, of [b, vectors * c]."""
        places = modulation[:, None].split(self.parts, dim=2)
        return [place.split(self.features, dim=2) for place in places]


class LevelFilter(nn.Module):
    """A filter over time for each channel, which depends on the noise level; 0 before training.

    Noise is told from what lasts by looking at neighbours, the further the more noise there is:
    Wiener's filter, learned.
    """

    def __init__(self, channels: int, reach: int) -> None:
        """Look so many frames to each side."""
        super().__init__()
        self.channels, self.reach = channels, reach
        self.enter = nn.Linear(LEVELS, LEVELS)
        self.taps = nn.Linear(LEVELS, channels * (2 * reach + 1))
        nn.init.zeros_(self.taps.weight)
        nn.init.zeros_(self.taps.bias)

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Return x [b, c, t] filtered, silence around it, for noise levels sigma [b]."""
        level = sigma.to(self.taps.weight.dtype)[:, None]
        orders = torch.arange(LEVELS, device=x.device, dtype=level.dtype)
        taps = self.taps(F.silu(self.enter((level * orders * pi).cos())))
        kernels = taps.view(-1, 1, 2 * self.reach + 1).to(x.dtype)  # one a clip and channel
        rows = x.reshape(1, -1, x.shape[-1])
        return F.conv1d(rows, kernels, padding=self.reach, groups=rows.shape[1]).view_as(x)


def modulate(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Return frames x [b, t, c] normalised, then scaled by 1 + scale and shifted."""
    if len(scale) == 1:  # one level for the whole batch: the norm can scale and shift
        gain, bias = (1 + scale[0, 0]).to(x), shift[0, 0].to(x)  # of bf16, under autocast
        return F.layer_norm(x, x.shape[2:], gain, bias, 1e-6)
    return torch.addcmul(shift, F.layer_norm(x, x.shape[2:], eps=1e-6), 1 + scale)
