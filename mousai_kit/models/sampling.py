"""Stepping: a sampler's way down a schedule's levels, and the scalars of each step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import atan2, inf, log

import torch
from torch import Tensor

from mousai_kit.core.component import Field, Options, Use
from mousai_kit.core.errors import RequestError
from mousai_kit.core.interfaces import NoiseSource, Sampler, Schedule

ROUNDING = 1e-12
"""A signal's weight below this is none: cos(pi / 2) is 6e-17 in double precision."""


class SamplerOptions(Options):
    """Options of every sampler that goes down a schedule's levels."""

    steps: int = Field(50, ge=1, le=10_000, description="evaluations of the network")
    levels: Use[Schedule] | None = Field(
        None, description="another schedule whose levels the steps follow; null: the stage's"
    )


@dataclass(frozen=True, slots=True)
class NoiseLevel:
    """A noise level with its mixture, in double precision: x = alpha * signal + beta * noise."""

    sigma: float
    """0 is the signal (alpha is exactly 1), 1 is noise (alpha is exactly 0)."""
    alpha: float
    beta: float

    @property
    def angle(self) -> float:
        """Return the place on the quarter circle, from 0 (signal) to pi / 2 (noise)."""
        return atan2(self.beta, self.alpha)

    @property
    def half_log_snr(self) -> float:
        """Return log(alpha / beta): -inf for noise, inf for the signal."""
        if self.alpha == 0:
            return -inf
        return inf if self.beta == 0 else log(self.alpha / self.beta)


class SteppedSampler(Sampler):
    """A sampler that asks the network at one level of a schedule after another.

    It takes `num_intervals` steps, with `steps` evaluations in all: one each, by default.
    Where `levels` names another schedule, the steps follow that one's levels; signal and noise
    are mixed as the stage learned it.
    """

    Options = SamplerOptions

    def __init__(self, options: SamplerOptions, *, schedule: Schedule) -> None:
        self.schedule = schedule
        self.steps = self.num_intervals = options.steps
        self.spacing = schedule if options.levels is None else options.levels.build()

    def levels(self) -> Tensor:
        """Return the levels [strides + 1], from 1 falling to exactly 0."""
        with torch.device("cpu"):
            return self.spacing.levels(self.num_intervals)

    def iterate_levels(self, x: Tensor) -> Iterator[tuple[Tensor, NoiseLevel, NoiseLevel]]:
        """Yield for each step: sigma [b] for the network, the level where it stands, the next.

        Scalars are Python's and known before the first step: no step waits for a device.
        """
        levels = self.levels()
        alpha, beta = self.schedule.weights(levels.double())
        marks = map(_level, levels.tolist(), alpha.tolist(), beta.tolist())
        for sigma, (now, later) in zip(levels.to(x)[:-1], pairwise(marks), strict=True):
            yield sigma.expand(len(x)), now, later

    def fresh_noise(self, x: Tensor, generator: NoiseSource | None) -> Tensor:
        """Return standard normal noise like x; RequestError where there is no source of it."""
        if generator is None:
            raise RequestError(f"{self.name} with eta above 0 needs a source of noise; give a seed")
        return generator.like(x)


def _level(sigma: float, alpha: float, beta: float) -> NoiseLevel:
    return NoiseLevel(sigma, 0.0, 1.0) if alpha < ROUNDING else NoiseLevel(sigma, alpha, beta)
