"""Learning rate: how it rises, stays and falls in the course of training."""

from __future__ import annotations

import math

from mousai_kit.recipe import Train


def learning_rate(settings: Train, step: int, progress: float) -> float:
    """Return the rate of the step after `step` are done, `progress` in [0, 1] through training.

    A straight line up over `warmup` steps; then as it is up to `decay_from` of training; then down
    to the share `decay` of it, along a cosine, a straight line or an exponential.
    """
    warm = min(1.0, (step + 1) / max(1, settings.warmup))
    return settings.learning_rate * warm * _remaining_share(settings, progress)


def _remaining_share(settings: Train, progress: float) -> float:
    """Return which share of the learning rate is left."""
    start, end = settings.decay_from, settings.decay
    fallen = max(0.0, progress - start) / (1 - start) if start < 1 else 0.0
    if settings.decay_shape == "linear":
        return 1 - (1 - end) * fallen
    if settings.decay_shape == "exponential":
        return max(end, SMALLEST) ** fallen
    return end + (1 - end) * (1 + math.cos(math.pi * fallen)) / 2


SMALLEST = 1e-4
"""Share of the learning rate at which an exponential ends that should end at 0."""
