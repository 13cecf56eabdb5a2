"""Neighbours: the least schedules that a sampler can be built with."""

from __future__ import annotations

from math import pi

import torch
from torch import Tensor

from mousai_kit.component import Options
from mousai_kit.interfaces import Schedule


class QuarterCircle(Schedule):
    """The cosine's mixtures at even levels."""

    name = "quarter-circle"

    def weights(self, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weights of signal and of noise at sigma [...]."""
        angle = sigma * (pi / 2)
        return angle.cos(), angle.sin()


class Noisier(Schedule):
    """Three times as much noise over signal as the cosine's mixtures have."""

    name = "noisier"

    def weights(self, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weights of signal and of noise at sigma [...]."""
        angle = sigma * (pi / 2)
        signal, noise = angle.cos(), 3 * angle.sin()
        norm = torch.hypot(signal, noise)
        return signal / norm, noise / norm


class Squared(QuarterCircle):
    """The cosine's mixtures at levels that lie dense near the signal."""

    name = "squared"

    def levels(self, steps: int) -> Tensor:
        """Return the levels [steps + 1] of a sampler's steps, from 1 falling to exactly 0."""
        return torch.linspace(1, 0, steps + 1, dtype=torch.float64) ** 2


SCHEDULES: tuple[Schedule, ...] = (
    QuarterCircle(Options()),
    Noisier(Options()),
    Squared(Options()),
)
