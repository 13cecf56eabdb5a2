"""Sampler: turns noise into a signal, step by step."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from mousai_kit.core.component import Component, Options
from mousai_kit.core.interfaces.noise import NoiseSource
from mousai_kit.core.interfaces.schedule import Schedule
from mousai_kit.core.interfaces.unet import Velocity


class Sampler(Component):
    """Solves the way back from noise to signal. Conditioning is bound: it never sees text.

    Built with a `schedule`. A sampler's options never change what a network learns, so that they
    may be changed after training. Where it has an option `steps`, `generate --steps` sets it.
    """

    kind: ClassVar[str] = "sampler"
    build_kwargs: ClassVar[tuple[str, ...]] = ("schedule",)
    jumps: ClassVar[bool] = False
    """Whether it gives the velocity targets, and so needs a network that has learned to jump (see
    `JumpVelocity.of`): a distilled sampler of few steps, which solves nothing between them."""

    def __init__(self, options: Options, *, schedule: Schedule) -> None: ...

    steps: int = 1
    """Evaluations of the network that a sample takes, or about so many: for progress bars."""

    def levels(self) -> Tensor:
        """Return the levels [n + 1] at which the network is asked, from 1 to 0, on the CPU.

        For work done once before sampling, as in `unet.bind`: a velocity must be right at any other
        level too, and is not asked at the last, 0. Empty, as by default: not known beforehand.
        """
        return torch.empty(0, device="cpu")

    @abstractmethod
    def sample(
        self, velocity: Velocity, noise: Tensor, *, generator: NoiseSource | None = None
    ) -> Tensor:
        """Turn noise [b, c, t] into a sample [b, c, t]; `generator` gives any further noise.

        The first evaluation is of the noise as it is, at level 1; at each level x is alpha * signal
        + beta * noise by the schedule's weights. Over a part of a schedule (`mk.Partway`) level 1
        holds signal, and `noise` is such a mixture. Clips don't mix, nothing is remembered from one
        sample to the next, and neither the noise nor a velocity is changed in place. Where further
        noise is needed and no generator is given: RequestError.
        """
