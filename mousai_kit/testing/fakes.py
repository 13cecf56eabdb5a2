"""The least schedules and the least stage, for suites whose component is built with one."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi

import torch
from torch import Tensor, nn

from mousai_kit.core import component
from mousai_kit.core.component import Options
from mousai_kit.core.errors import RequestError
from mousai_kit.core.interfaces import (
    Condition,
    GenerationRequest,
    NoiseSource,
    Schedule,
    SignalSpace,
    Stage,
)


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


class OneConvolution(Stage):
    """One convolution that learns to repeat what it hears: the least that a stage can be."""

    name = "one-convolution"

    def __init__(self, options: component.Options, *, input_space: SignalSpace) -> None:
        super().__init__(options, input_space=input_space)
        self.input_space, self.latent_space = input_space, input_space
        self.repeat = nn.Conv1d(input_space.channels, input_space.channels, 3, padding=1)

    def loss(
        self,
        signal: Tensor,
        prompts: Sequence[str],
        *,
        noise: NoiseSource,
        condition: Condition = "training",
    ) -> Tensor:
        """Return the mean squared error per clip [b]."""
        return (self.repeat(signal) - signal).square().mean((1, 2))

    def encode(self, signal: Tensor) -> Tensor:
        """Return the signal as it is."""
        return signal

    def decode(self, latents: Tensor | None, request: GenerationRequest) -> Tensor:
        """Return the signal of latents."""
        if latents is None:
            raise RequestError("one-convolution needs a stage above it")
        repeated: Tensor = self.repeat(latents)
        return repeated[..., : self.input_space.frames(request.samples)]
