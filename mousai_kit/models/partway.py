"""Partway: sampling that begins from a signal, noised part of the way, and not from noise.

Legend: b batch, c channels, n frames.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mousai_kit.core.interfaces import JumpVelocity, Schedule, Velocity


class Partway(Schedule):
    """The lower part of a schedule: its own level 1 is the other's level `highest`.

    A sampler goes down it from a noised signal as it would go down a whole one from noise (Meng et
    al., 2022, SDEdit).
    """

    def __init__(self, schedule: Schedule, highest: float) -> None:
        self.schedule, self.highest = schedule, highest

    def weights(self, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weights of signal and of noise at sigma [...]."""
        return self.schedule.weights(self.highest * sigma)

    def levels(self, steps: int) -> Tensor:
        """Return the levels [steps + 1] of a sampler's steps: those of the whole schedule."""
        return self.schedule.levels(steps)

    def add_noise(self, signal: Tensor, noise: Tensor) -> Tensor:
        """Return a signal with as much noise as a sampler begins with, both [b, c, n]."""
        alpha, beta = self.weights(torch.ones((), dtype=torch.float64, device="cpu"))
        return alpha.item() * signal + beta.item() * noise

    def scale_levels(self, velocity: Velocity) -> Velocity:
        """Return a velocity that is told the levels of the whole schedule."""
        whole = JumpVelocity.of(velocity)

        def ask(x: Tensor, sigma: Tensor, target: Tensor | None) -> Tensor:
            return whole(x, self.highest * sigma, None if target is None else self.highest * target)

        return JumpVelocity(ask, jumps=whole.jumps)
