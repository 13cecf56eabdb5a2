"""The sampler of distilled networks: a few turns, from level to level of a grid.

Legend: x the noised signal, v the velocity; alpha, beta the weights of signal and of noise.
"""

from __future__ import annotations

from itertools import pairwise
from math import pi
from typing import Literal

import torch
from torch import Tensor

import mousai_kit.api as mk

NEAR = 1e-6
"""Levels nearer to each other than this are one."""


class FewStep(mk.Sampler):
    """Few turns of a distilled network: each lands on the next level of the grid that it learned.

    The grid is the one that `distilled` learns, and exact at both ends. Where there is less noise
    (`strength`), the first turn is the shorter one that leads to the grid.
    """

    name = "few-step"

    class Options(mk.Options):
        """Options of `sampler: few-step`."""

        steps: int = mk.Field(
            4, ge=1, le=1000, description="steps that the network is distilled to"
        )
        spacing: Literal["cosine", "even"] = mk.Field(
            "cosine", description="nearer to each other at both ends, or even"
        )
        begins: float = mk.Field(
            1.0, gt=0, le=1, description="level at which the first of the steps begins"
        )

    def __init__(self, options: Options, *, schedule: mk.Schedule) -> None:
        self.schedule = schedule
        self.highest = schedule.highest if isinstance(schedule, mk.Partway) else 1.0
        grid = grid_levels(options.steps, options.spacing, begins=options.begins)
        below = grid[grid < self.highest - NEAR]
        whole = torch.cat([torch.tensor([self.highest], dtype=torch.float64), below])
        self._levels = (whole / self.highest).float()
        self.steps = len(below)

    def levels(self) -> Tensor:
        """Return the levels [steps + 1], from 1 falling to exactly 0."""
        return self._levels.clone()

    def sample(
        self, velocity: mk.Velocity, noise: Tensor, *, generator: mk.NoiseSource | None = None
    ) -> Tensor:
        """Turn noise [b, c, t] into a sample [b, c, t]; `generator` goes unused."""
        x, levels = noise, self._levels.to(noise)
        for now, later in pairwise(levels):
            sigma = now.expand(len(x))
            x = turn(x, velocity(x, sigma), self.schedule, sigma, later.expand(len(x)))
        return x


def grid_levels(steps: int, spacing: Literal["cosine", "even"], *, begins: float = 1.0) -> Tensor:
    """Return the levels [steps + 1] of the grid, from `begins` to exactly 0, on the CPU."""
    with torch.device("cpu"):
        even = torch.linspace(1, 0, steps + 1, dtype=torch.float64)
        if spacing == "cosine":
            even = (1 - (pi * even).cos()) / 2
        return begins * even


def turn(x: Tensor, v: Tensor, schedule: mk.Schedule, now: Tensor, later: Tensor) -> Tensor:
    """Return x [b, c, n] turned from levels `now` [b] to `later` [b] by v: a step of DDIM."""
    cos, sin = turn_weights(schedule, now, later)
    return cos.to(x) * x - sin.to(x) * v


def turn_weights(schedule: mk.Schedule, now: Tensor, later: Tensor) -> tuple[Tensor, Tensor]:
    """Return cosine and sine [b, 1, 1], float64, of the angle between two levels [b]."""
    alpha, beta = (weight[:, None, None] for weight in schedule.weights(now.double()))
    above, below = (weight[:, None, None] for weight in schedule.weights(later.double()))
    return alpha * above + beta * below, beta * above - alpha * below
