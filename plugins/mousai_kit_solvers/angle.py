"""A multistep solver in the angle phi of the quarter circle, in which dx / dphi = v.

Legend: x the noised signal, v the velocity; phi = atan2(beta, alpha) for the schedule's weights of
signal and of noise; h the angle of a step, below 0 on the way to the signal.

If the network always saw the same signal, x would turn around the circle: x'' = -x. What it sees
changes, so that x'' = -x + n, and by variation of constants, with n constant over a step,

    x(phi + h) = cos h * x + sin h * v + (1 - cos h) * n
    v(phi + h) = cos h * v - sin h * x + sin h * n

DDIM is n = 0. An n that is right to first order in h makes a method of second order, as it counts
with 1 - cos h = O(h^2). Nothing is infinite at either end.
"""

from __future__ import annotations

from math import cos, sin

from torch import Tensor

import mousai_kit.api as mk


class Angle2M(mk.SteppedSampler):
    """Second order, multistep, in the angle: DDIM that bends as v bent in the step before.

    An exponential multistep method (Hochbruck & Ostermann, 2010, section 2.5) for x'' = -x + n: its
    n is the one that leads from (x, v) at the begin of the last step to v at its end. The first
    step is DDIM's.
    """

    name = "angle-2m"

    class Options(mk.SamplerOptions):
        """Options of `sampler: angle-2m`."""

        steps: int = mk.Field(20, ge=1, le=10_000, description="evaluations of the network")

    def sample(
        self, velocity: mk.Velocity, noise: Tensor, *, generator: mk.NoiseSource | None = None
    ) -> Tensor:
        """Turn noise [b, c, t] into a sample [b, c, t]; `generator` goes unused."""
        x, expected, last = noise, None, 0.0
        for sigma, now, later in self.iterate_levels(noise):
            h = later.angle - now.angle
            v = velocity(x, sigma)
            n = 0.0 if expected is None else (v - expected) / sin(last)
            expected, last = cos(h) * v - sin(h) * x, h
            x = cos(h) * x + sin(h) * v + (1 - cos(h)) * n
        return x
