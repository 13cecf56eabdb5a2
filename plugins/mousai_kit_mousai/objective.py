"""The v-objective (Salimans & Ho, 2022), which both stages learn from."""

from __future__ import annotations

from torch import Tensor

import mousai_kit.api as mk


def velocity_loss(
    velocity: mk.Velocity,
    signal: Tensor,
    schedule: mk.Schedule,
    noise: mk.NoiseSource,
    *,
    importance: Tensor | None = None,
) -> Tensor:
    """Return the mean squared error of v per clip [b] for signals [b, c, t].

    The level is uniform in [0, 1); v = alpha * noise - beta * signal. `importance` [c] says how
    much each channel counts, 1 on average.
    """
    sigma = noise.uniform().to(signal)
    white = noise.like(signal)
    alpha, beta = (weight[:, None, None] for weight in schedule.weights(sigma))
    predicted = velocity(alpha * signal + beta * white, sigma)
    target = alpha * white - beta * signal
    return averaged((predicted.float() - target).square(), importance)


def averaged(errors: Tensor, importance: Tensor | None) -> Tensor:
    """Return the mean per clip [b] of errors [b, c, t], each channel as important as it is."""
    return (errors if importance is None else errors * importance[:, None]).mean((1, 2))
