"""Schedules: mixtures of signal and noise on the quarter circle."""

from __future__ import annotations

from math import pi

import torch
from torch import Tensor

import mousai_kit.api as mk


class Cosine(mk.Schedule):
    """Cosine schedule of the paper: alpha = cos(pi t/2), beta = sin(pi t/2)."""

    name = "cosine"

    def weights(self, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weights of signal and of noise at sigma [...]."""
        angle = sigma * (pi / 2)
        return angle.cos(), angle.sin()


class ShiftedCosine(mk.Schedule):
    """Cosine schedule with more noise at every level, for long signals (Hoogeboom et al., 2023)."""

    name = "shifted-cosine"

    class Options(mk.Options):
        """Options of `schedule: shifted-cosine`."""

        shift: float = mk.Field(1.0, gt=0, le=100, description="1 is the plain cosine schedule")

    def __init__(self, options: Options) -> None:
        self.shift = options.shift

    def weights(self, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weights of signal and of noise at sigma [...]."""
        angle = sigma * (pi / 2)
        signal, noise = angle.cos(), self.shift * angle.sin()
        norm = torch.hypot(signal, noise)
        return signal / norm, noise / norm
