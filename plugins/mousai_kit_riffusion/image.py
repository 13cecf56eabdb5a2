"""Mel magnitudes as images of eight bits, as Riffusion's network was taught them, and back.

Legend: b batch, c channels of audio, m mel bands, n frames.
"""

from __future__ import annotations

import torch
from torch import Tensor

POWER = 0.25
"""Brightness is a magnitude to this power."""
LOUDEST = 30e6 / 2**15
"""The magnitude of black: Riffusion's for samples of 16 bits, here for samples up to 1."""
STEREO = (1, 2)
"""The colours, of red, green and blue, that hold left and right; mono is in all three."""


def to_image(magnitudes: Tensor, *, power: float = POWER) -> Tensor:
    """Return images [b, m, n, 3] of eight bits of mel magnitudes [b, c, m, n], c 1 or 2.

    Black is the loudest magnitude of a clip, white none; the highest band is on top.
    """
    loudest = magnitudes.amax((1, 2, 3), keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
    dark = 255 - 255 * (magnitudes / loudest) ** power
    rows = dark.to(torch.uint8).flip(2)
    if rows.shape[1] == 1:
        return rows.expand(-1, 3, -1, -1).permute(0, 2, 3, 1)
    return torch.stack([torch.zeros_like(rows[:, 0]), *rows.unbind(1)], -1)


def from_image(
    image: Tensor, *, channels: int, power: float = POWER, loudest: float = LOUDEST
) -> Tensor:
    """Return mel magnitudes [b, channels, m, n] of images [b, m, n, 3], from 0 to 255."""
    colours = STEREO if channels == 2 else (0,)
    rows = torch.stack([image[..., colour] for colour in colours], 1).flip(2)
    return loudest * ((255 - rows.float()) / 255) ** (1 / power)
