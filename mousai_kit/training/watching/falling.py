"""Falling: whether the loss goes down at all."""

from __future__ import annotations

import math
from collections import deque
from statistics import fmean, variance
from typing import TYPE_CHECKING, Any

from mousai_kit.training.step import Taken
from mousai_kit.training.watching.watcher import SHARE, STEPS, Watcher

if TYPE_CHECKING:
    from mousai_kit.training.loop import Training

WINDOW = 50
"""Steps whose mean is compared: the first ones, and the last ones."""
FEWEST = 200
"""Steps before which nothing is said."""
ERRORS = 2.0
"""Standard errors by which the loss must have fallen."""


class Falling(Watcher):
    """Warns where the last 50 steps' loss is not below that of the first 50, beyond chance."""

    name = "falling"

    def __init__(self) -> None:
        super().__init__()
        self.first: list[float] = []
        self.last: deque[float] = deque(maxlen=WINDOW)

    def stepped(self, training: Training, taken: Taken) -> None:
        """Remember a loss; compare every 50 steps."""
        if math.isfinite(taken.loss):
            if len(self.first) < WINDOW:
                self.first.append(taken.loss)
            self.last.append(taken.loss)
        late = training.progress >= SHARE or training.step >= STEPS
        if training.step >= FEWEST and late and training.step % WINDOW == 0:
            self._compare(training)

    def state(self) -> dict[str, Any]:
        """Return what was said, and the losses."""
        return {**super().state(), "first": list(self.first), "last": list(self.last)}

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned."""
        super().load(state)
        self.first = list(state.get("first", []))
        self.last = deque(state.get("last", []), maxlen=WINDOW)

    def _compare(self, training: Training) -> None:
        if len(self.last) < WINDOW:
            return
        before, after = fmean(self.first), fmean(self.last)
        error = math.sqrt((variance(self.first) + variance(self.last)) / WINDOW)
        if before - after <= ERRORS * error:
            self.tell(
                training,
                "level",
                f"the loss has not fallen: {before:.4f} in the first {WINDOW} steps, {after:.4f} "
                f"(+-{error:.4f}) in the last {WINDOW}, at a learning rate of {training.rate:.2g}; "
                "try a tenth of `learning_rate`, and ten times it",
            )
