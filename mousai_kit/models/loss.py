"""The v-objective (Salimans & Ho, 2022), which stages learn from."""

from __future__ import annotations

from torch import Tensor

from mousai_kit.core.interfaces import NoiseSource, Schedule, Velocity


def velocity_loss(
    velocity: Velocity,
    signal: Tensor,
    schedule: Schedule,
    noise: NoiseSource,
    *,
    importance: Tensor | None = None,
    highest: float = 1.0,
) -> Tensor:
    """Return the mean squared error of v per clip [b] for signals [b, c, t].

    The level is uniform in [0, highest); v = alpha * noise - beta * signal. `importance` [c] says
    how much each channel counts, 1 on average.
    """
    sigma = highest * noise.uniform().to(signal)
    white = noise.like(signal)
    alpha, beta = (weight[:, None, None] for weight in schedule.weights(sigma))
    predicted = velocity(alpha * signal + beta * white, sigma)
    target = alpha * white - beta * signal
    return mean_per_clip((predicted.float() - target).square(), importance)


def mean_per_clip(errors: Tensor, importance: Tensor | None) -> Tensor:
    """Return the mean per clip [b] of errors [b, c, t], each channel as important as it is."""
    return (errors if importance is None else errors * importance[:, None]).mean((1, 2))
