"""Phases that lines of a spectrum would have: where an iteration begins that makes phases agree.

Legend: b batch, k bins, n frames.
"""

from __future__ import annotations

from math import pi

import torch
from torch import Tensor

HANN = 0.25645
"""A Hann window of w samples is about a Gaussian exp(-pi t^2 / (HANN w^2))."""


def advance_phases(power: Tensor, *, first: int, width: int, hop: int) -> Tensor:
    """Return the phases [b, k, n] that frames of log power [b, k, n] have by their frequencies.

    A bin's frequency is told by the slope of the log magnitude around it, as under a Gaussian
    window (Prusa et al., 2017, equation 22), and its phase is integrated over time alone, from 0.
    Bins are those of a Hann window of `width` samples each `hop`, from bin `first` on.
    """
    levels = power.transpose(1, 2)
    slope = torch.zeros_like(levels)
    torch.sub(levels[..., 2:], levels[..., :-2], out=slope[..., 1:-1])
    # radians a hop; half of a difference over two bins, of log power, which is twice log magnitude
    slope *= hop / (4 * HANN * width)
    turned = torch.cumsum((slope[:, 1:] + slope[:, :-1]).div_(2), 1)
    bins = torch.arange(first, first + power.shape[1], device=power.device)
    moments = torch.arange(1, power.shape[2], device=power.device) * hop % width
    turned += (moments[:, None] * bins) * (2 * pi / width)
    return torch.cat([torch.zeros_like(slope[:, :1]), turned], 1).transpose(1, 2)
