"""Figures: how a training stands, in numbers: its loss and where that goes, its speed, its end."""

from __future__ import annotations

import math
import resource
import sys
from collections import deque
from dataclasses import dataclass
from statistics import fmean, variance
from typing import TYPE_CHECKING

import torch

from mousai_kit.training.observing import Observer
from mousai_kit.training.step import Taken

if TYPE_CHECKING:
    from mousai_kit.training.loop import Training

SMOOTHED = 100
"""Steps whose mean loss is shown, and compared with as many before them."""
RECENT = 120.0
"""Seconds from which speed is told: what was long ago says little of what is to come."""


@dataclass(frozen=True, slots=True)
class Trend:
    """Where the loss goes: its change; 0 where noise may be all of it."""

    change: float

    def __str__(self) -> str:
        if not self.change:
            return "level"
        return f"{'falling' if self.change < 0 else 'rising'} by {abs(self.change):.2g}"


class Figures(Observer):
    """Keeps the last steps' losses and times, and answers from them."""

    def __init__(self) -> None:
        self._losses: deque[float] = deque(maxlen=2 * SMOOTHED)
        self._pace: deque[tuple[float, int]] = deque()
        self.gradient_norm = math.nan

    def begun(self, training: Training) -> None:
        """Take the time."""
        self._pace.append((training.seconds, training.step))

    def stepped(self, training: Training, taken: Taken) -> None:
        """Remember a step; one whose loss is not finite has only its time."""
        if math.isfinite(taken.loss):
            self._losses.append(taken.loss)
        self.gradient_norm = taken.gradient_norm
        pace, now = self._pace, training.seconds
        if len(pace) > 1 and pace[-1][0] - pace[-2][0] < 1.0:
            pace.pop()
        pace.append((now, training.step))
        while len(pace) > 2 and now - pace[1][0] > RECENT:
            pace.popleft()

    @property
    def loss(self) -> float:
        """Return the mean loss of the last steps; NaN before the first."""
        return fmean(list(self._losses)[-SMOOTHED:]) if self._losses else math.nan

    @property
    def trend(self) -> Trend | None:
        """Return how the last steps' loss differs from that of those before them.

        None where there are fewer than ten of each. A difference within two standard errors is no
        difference.
        """
        half = len(self._losses) // 2
        if half < 10:
            return None
        told = list(self._losses)
        before, after = told[-2 * half : -half], told[-half:]
        error = math.sqrt((variance(before) + variance(after)) / half)
        change = fmean(after) - fmean(before)
        return Trend(change if abs(change) > 2 * error else 0.0)

    @property
    def speed(self) -> float:
        """Return the steps a second of the last two minutes; 0 before the first step."""
        if not self._pace:
            return 0.0
        (then, first), (now, last) = self._pace[0], self._pace[-1]
        return (last - first) / (now - then) if now > then else 0.0

    def left(self, training: Training) -> float | None:
        """Return the seconds until steps or minutes are used up; None before it can be told."""
        if not self.speed:
            return None
        settings = training.settings
        steps = (settings.steps - training.step) / self.speed
        minutes = math.inf if settings.minutes is None else 60 * settings.minutes
        return max(0.0, min(steps, minutes - training.seconds))


def most_memory(device: torch.device) -> int:
    """Return the most bytes of memory that were taken: of the device, or by this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
