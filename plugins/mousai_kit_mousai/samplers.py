"""Samplers: ways from noise back to a signal, over the velocity v = alpha noise - beta signal."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

import mousai_kit.api as mk


class DDIM(mk.Sampler):
    """DDIM in v-form, the paper's sampler (Song et al., 2021; Salimans & Ho, 2022)."""

    name = "ddim"

    class Options(mk.Options):
        """Options of `sampler: ddim`."""

        steps: int = mk.Field(50, ge=1, le=10_000, description="evaluations of the network")
        eta: float = mk.Field(
            0.0, ge=0, le=1, description="fresh noise in each step: 0 none, 1 as in DDPM"
        )

    def __init__(self, options: Options, *, schedule: mk.Schedule) -> None:
        self.schedule, self.steps, self.eta = schedule, options.steps, options.eta

    def sample(
        self, velocity: mk.Velocity, noise: Tensor, *, generator: mk.NoiseSource | None = None
    ) -> Tensor:
        """Turn noise [b, c, t] into a sample [b, c, t]; with eta > 0, `generator` gives noise."""
        x = noise
        for now, later in pairwise(self.schedule.levels(self.steps).to(noise)):
            v = velocity(x, now.expand(len(x)))
            (alpha, beta), (alpha_later, beta_later) = map(self.schedule.weights, (now, later))
            fresh = self._fresh(alpha, beta, alpha_later, beta_later)
            kept = (beta_later.square() - fresh.square()).clamp(min=0).sqrt()
            cos, sin = alpha * alpha_later + beta * kept, beta * alpha_later - alpha * kept
            x = cos * x - sin * v
            if self.eta > 0:
                x = x + fresh * _source(generator).like(x)
        return x

    def _fresh(
        self, alpha: Tensor, beta: Tensor, alpha_later: Tensor, beta_later: Tensor
    ) -> Tensor:
        """Return the standard deviation of a step's fresh noise (Song et al., equation 16)."""
        return (
            self.eta
            * (beta_later / beta)
            * (1 - (alpha / alpha_later).square()).clamp(min=0).sqrt()
        )


class DPMSolverPlusPlus2M(mk.Sampler):
    """DPM-Solver++(2M), second order, multistep (Lu et al., 2022, algorithm 2)."""

    name = "dpmpp-2m"

    class Options(mk.Options):
        """Options of `sampler: dpmpp-2m`."""

        steps: int = mk.Field(20, ge=1, le=10_000, description="evaluations of the network")

    def __init__(self, options: Options, *, schedule: mk.Schedule) -> None:
        self.schedule, self.steps = schedule, options.steps

    def sample(
        self, velocity: mk.Velocity, noise: Tensor, *, generator: mk.NoiseSource | None = None
    ) -> Tensor:
        """Turn noise [b, c, t] into a sample [b, c, t]; `generator` goes unused."""
        x, before, last_stride = noise, torch.zeros_like(noise), noise.new_tensor(torch.inf)
        for now, later in pairwise(self.schedule.levels(self.steps).to(noise)):
            (alpha, beta), (alpha_later, beta_later) = map(self.schedule.weights, (now, later))
            signal = alpha * x - beta * velocity(x, now.expand(len(x)))
            stride = _log_snr(alpha_later, beta_later) - _log_snr(alpha, beta)
            # Without two strides of finite length (at either end) the step is of first order.
            slope = stride / (2 * last_stride) if stride.isfinite() else torch.zeros_like(stride)
            guess = signal + slope * (signal - before)
            x = (beta_later / beta) * x + (alpha_later - alpha * beta_later / beta) * guess
            before, last_stride = signal, stride
        return x


def _log_snr(alpha: Tensor, beta: Tensor) -> Tensor:
    """Return log(alpha / beta), also for pure noise, where rounding may leave alpha < 0."""
    return (alpha.clamp(min=0) / beta).log()


def _source(generator: mk.NoiseSource | None) -> mk.NoiseSource:
    if generator is None:
        raise mk.RequestError("ddim with eta above 0 needs a source of noise; give a seed")
    return generator
