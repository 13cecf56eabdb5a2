"""Heun's method in the angle phi of the quarter circle, in which dx / dphi = v.

Legend: x the noised signal, v the velocity; phi = atan2(beta, alpha) for the schedule's weights of
signal and of noise; h the angle of a step, below 0 on the way to the signal.
"""

from __future__ import annotations

from math import cos, sin, tan

import torch
from torch import Tensor

import mousai_kit.api as mk


class Heun(mk.SteppedSampler):
    """Heun's method, second order, two evaluations a step (Karras et al., 2022, algorithm 1).

    In the terms of the paper (arXiv 2206.00364), t is phi, s(t) = cos t and sigma(t) = tan t, which
    makes its d_i our v. Euler's step is a turn, as in DDIM, and the trapezoidal rule has
    tan(h / 2) in place of h / 2: so both are exact where the network always sees the same signal.
    As in the paper, the last step has one evaluation.
    """

    name = "heun"

    class Options(mk.SamplerOptions):
        """Options of `sampler: heun`."""

        steps: int = mk.Field(
            39,
            ge=1,
            le=10_000,
            description="evaluations of the network at most: an even number leaves one unused",
        )

    def __init__(self, options: Options, *, schedule: mk.Schedule) -> None:
        super().__init__(options, schedule=schedule)
        self.num_intervals = (options.steps + 1) // 2
        self.steps = 2 * self.num_intervals - 1

    def sample(
        self, velocity: mk.Velocity, noise: Tensor, *, generator: mk.NoiseSource | None = None
    ) -> Tensor:
        """Turn noise [b, c, t] into a sample [b, c, t]; `generator` goes unused."""
        x = noise
        for sigma, now, later in self.iterate_levels(noise):
            h = later.angle - now.angle
            v = velocity(x, sigma)
            there = cos(h) * x + sin(h) * v
            if later.sigma > 0:
                v_there = velocity(there, torch.full_like(sigma, later.sigma))
                there = x + tan(h / 2) * (v + v_there)
            x = there
        return x
