"""Velocities that are known exactly, for samplers to be held against.

Legend: x the noised signal [b, c, t], v the velocity; alpha, beta the weights of signal and of
noise. All but `curved_velocity` are those of a network that has learned its data perfectly.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log

import torch
from torch import Tensor

from mousai_kit.core.interfaces import JumpVelocity, Sampler, Schedule, Velocity

MEANS, DEVIATION = torch.tensor([-1.5, 0.5, 2.0], dtype=torch.float64), 0.2
"""Where the numbers of `mixture` lie, and how far around."""

Expected = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Maps x, alpha and beta to the mean of the clean signals that x may be."""


def velocity_of(denoise: Expected, schedule: Schedule) -> Velocity:
    """Return v for a denoiser: `denoise` maps x and its weights to the mean clean signal."""

    def velocity(x: Tensor, sigma: Tensor) -> Tensor:
        alpha, beta = (weight[:, None, None] for weight in schedule.weights(sigma))
        # With E[noise | x] = (x - alpha * signal) / beta, v = (alpha * x - signal) / beta; no noise
        # is expected where there is none.
        v = (alpha * x - denoise(x, alpha, beta)) / beta
        return torch.where(beta == 0, torch.zeros_like(v), v)

    return velocity


def point(data: Tensor, schedule: Schedule) -> Velocity:
    """Return v for data that is always the same."""
    return velocity_of(lambda x, alpha, beta: data.to(x).expand_as(x), schedule)


def gaussian(mean: float, deviation: float, schedule: Schedule) -> Velocity:
    """Return v for independent numbers of one mean and deviation."""

    def denoise(x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
        gain = alpha * deviation**2 / (alpha**2 * deviation**2 + beta**2)
        return mean + gain * (x - alpha * mean)

    return velocity_of(denoise, schedule)


def mixture(schedule: Schedule, means: Tensor = MEANS) -> Velocity:
    """Return v for independent numbers around some means."""

    def denoise(x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
        total = alpha**2 * DEVIATION**2 + beta**2
        away = x[..., None] - alpha[..., None] * means.to(x)
        weights = (-away.square() / (2 * total[..., None])).softmax(-1)
        gain = alpha * DEVIATION**2 / total
        return (weights * (means.to(x) + gain[..., None] * away)).sum(-1)

    return velocity_of(denoise, schedule)


def jump_gaussian(mean: float | Tensor, deviation: float, schedule: Schedule) -> JumpVelocity:
    """Return v, to any target, for independent numbers of one mean (or means [c, t]) and deviation.

    The way down keeps how many deviations x is from the mean: so x at the target is known, and v is
    what turns x into it.
    """

    def velocity(x: Tensor, sigma: Tensor, target: Tensor | None) -> Tensor:
        alpha, beta = (weight[:, None, None] for weight in schedule.weights(sigma))
        there = sigma if target is None else target
        later_alpha, later_beta = (weight[:, None, None] for weight in schedule.weights(there))
        now, later = (
            (a**2 * deviation**2 + b**2).sqrt()
            for a, b in ((alpha, beta), (later_alpha, later_beta))
        )
        offset = (x - alpha * mean) / now.clamp(min=1e-12)
        sine = beta * later_alpha - alpha * later_beta
        cosine = alpha * later_alpha + beta * later_beta
        away = cosine * x - later_alpha * mean - later * offset
        spread = alpha * beta * (1 - deviation**2) / now.clamp(min=1e-12)
        still = spread * offset - beta * mean  # the limit, where the target is the level itself
        return torch.where(sine.abs() < 1e-9, still, away / sine.clamp(min=1e-12))

    return JumpVelocity(velocity)


def jump_curved(x: Tensor, sigma: Tensor, target: Tensor | None) -> Tensor:
    """Return what no flow would, and follows x, the level and the target."""
    v = curved_velocity(x, sigma)
    return v if target is None else v + target[:, None, None] * x


def curved_velocity(x: Tensor, sigma: Tensor) -> Tensor:
    """Return what no denoiser would: any function will do for a recurrence."""
    return (3 * x).sin() + sigma[:, None, None] * x.roll(1, -1)


def noise(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Return the same noise every time."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


def distance(one: Tensor, other: Tensor) -> float:
    """Return the root of the mean square of a difference."""
    return (one - other).square().mean().sqrt().item()


def carry(
    start: Tensor,
    schedule: Schedule,
    means: Tensor = MEANS,
    deviation: float = DEVIATION,
    *,
    ends: tuple[float, float] = (1.0, 0.0),
) -> Tensor:
    """Return where the exact velocity of a mixture carries numbers from one level to another.

    In one dimension the way keeps every quantile: the closed form is one distribution's quantile
    function after the other's distribution function. One mean is a Gaussian.
    """
    (alpha, alpha_end), (beta, beta_end) = schedule.weights(torch.tensor(ends).double())

    def share(x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
        spread = (alpha**2 * deviation**2 + beta**2).sqrt()
        return torch.special.ndtr((x[..., None] - alpha * means) / spread).mean(-1)

    wanted = share(start, alpha, beta)
    low, high = torch.full_like(start, -20), torch.full_like(start, 20)
    for _ in range(60):
        middle = (low + high) / 2
        below = share(middle, alpha_end, beta_end) < wanted
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return (low + high) / 2


def order(
    make: Callable[[int], Sampler],
    velocity: Velocity,
    start: Tensor,
    truth: Tensor,
    *,
    steps: tuple[int, int] = (80, 160),
) -> float:
    """Return the measured order of convergence: the error's slope over the steps, in logs."""
    coarse, fine = (distance(make(n).sample(velocity, start), truth) for n in steps)
    return log(coarse / fine) / log(steps[1] / steps[0])
