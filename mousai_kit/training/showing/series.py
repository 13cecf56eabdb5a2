"""A series: values by step, of any number of steps in the room of a picture's width."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LIMIT = 2048
"""Bins of a series at most: a picture has no more columns."""

Line = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Drawn:
    """What there is to draw of a series, each with an item a bin: its middle step, the mean, the
    lowest and the highest value in it, and the mean of its neighbourhood.
    """

    steps: Line
    means: Line
    lowest: Line
    highest: Line
    smooth: Line


class Series:
    """Values that are added by step, kept in equal bins; two become one where there are too many.

    A value that is not finite is left out.
    """

    def __init__(self) -> None:
        self.width = 1
        self._bins: dict[int, list[float]] = {}

    def add(self, step: int, value: float) -> None:
        """Add the value of a step (the first is 1)."""
        if not math.isfinite(value):
            return
        place = (step - 1) // self.width
        if found := self._bins.get(place):
            found[0] += 1
            found[1] += value
            found[2] = min(found[2], value)
            found[3] = max(found[3], value)
            return
        self._bins[place] = [1, value, value, value]
        while place >= LIMIT:
            place //= 2
            self._halve()

    def __len__(self) -> int:
        return len(self._bins)

    def drawn(self, smoothing: float = 0.02) -> Drawn:
        """Return what there is to draw; `smoothing` is a share of the whole."""
        places = sorted(self._bins)
        count, total, lowest, highest = np.array([self._bins[it] for it in places]).T
        steps = (np.array(places) + 0.5) * self.width + 0.5
        smooth = _smooth(count, total, smoothing)
        return Drawn(steps, total / count, lowest, highest, smooth)

    def _halve(self) -> None:
        """Make bins of twice the width."""
        before, self._bins, self.width = self._bins, {}, 2 * self.width
        for place, (count, total, lowest, highest) in before.items():
            found = self._bins.setdefault(place // 2, [0, 0.0, math.inf, -math.inf])
            found[0] += count
            found[1] += total
            found[2] = min(found[2], lowest)
            found[3] = max(found[3], highest)


def _smooth(count: Line, total: Line, share: float) -> Line:
    """Return the mean of values around each bin, near ones counting more (a Hann window)."""
    reach = max(1, round(share * len(count)))
    window = np.hanning(2 * reach + 3)[1:-1]
    around = (np.convolve(it, window)[reach : reach + len(count)] for it in (total, count))
    totals, counts = around
    return np.asarray(totals / counts)
