"""Monitors of the loss: whether it falls at all, and whether held-out clips get worse."""

from __future__ import annotations

import math
from collections import deque
from statistics import fmean, variance
from typing import Any

from mousai_kit.training.callbacks.base import TrainerView
from mousai_kit.training.monitors.base import SHARE, STEPS, Monitor
from mousai_kit.training.train_step import StepResult

WINDOW = 50
"""Steps whose mean is compared: the first ones, and the last ones."""
FEWEST = 200
"""Steps before which nothing is said."""
ERRORS = 2.0
"""Standard errors by which the loss must have fallen."""


class LossTrendMonitor(Monitor):
    """Warns where the last 50 steps' loss is not below that of the first 50, beyond chance."""

    name = "falling"
    state_fields = ("first", "last")

    def __init__(self) -> None:
        super().__init__()
        self.first: list[float] = []
        self.last: deque[float] = deque(maxlen=WINDOW)

    def on_step_end(self, training: TrainerView, taken: StepResult) -> None:
        """Remember a loss; compare every 50 steps."""
        if math.isfinite(taken.loss):
            if len(self.first) < WINDOW:
                self.first.append(taken.loss)
            self.last.append(taken.loss)
        late = training.progress >= SHARE or training.step >= STEPS
        if training.step >= FEWEST and late and training.step % WINDOW == 0:
            self._compare(training)

    def _compare(self, training: TrainerView) -> None:
        if len(self.last) < WINDOW:
            return
        before, after = fmean(self.first), fmean(self.last)
        error = math.sqrt((variance(self.first) + variance(self.last)) / WINDOW)
        if before - after <= ERRORS * error:
            self.warn_once(
                training,
                "level",
                f"the loss has not fallen: {before:.4f} in the first {WINDOW} steps, {after:.4f} "
                f"(+-{error:.4f}) in the last {WINDOW}, at a learning rate of {training.rate:.2g}; "
                "try a tenth of `learning_rate`, and ten times it",
            )


IN_A_ROW = 3
"""Validations in a row that must be worse than the best one."""
OVERFITTING_ERRORS = 3.0
"""Standard errors by which they must be; the same clips and noise are compared, one by one."""
OVERFITTING_SHARE = 0.01
"""Share of the loss by which they must be worse, in any case."""


class OverfittingMonitor(Monitor):
    """Warns where the last three validations are all worse than the best one, beyond chance, while
    the loss of training has fallen since.
    """

    name = "overfitting"
    state_fields = ("best", "worse", "total", "count")

    def __init__(self) -> None:
        super().__init__()
        self.best: dict[str, Any] = {}
        """The best validation: its step, the loss of each draw, and of training around it."""
        self.worse = 0
        self.total, self.count = 0.0, 0

    def on_step_end(self, training: TrainerView, taken: StepResult) -> None:
        """Add up losses between two validations."""
        if math.isfinite(taken.loss):
            self.total += taken.loss
            self.count += 1

    def on_validation_end(self, training: TrainerView, losses: dict[str, float]) -> None:
        """Compare with the best validation."""
        if training.draws is None:
            return
        learned = self.total / max(1, self.count)
        self.total, self.count = 0.0, 0
        now = training.draws.losses["right"]
        if not math.isfinite(fmean(now)):
            return
        best = self.best.get("losses", [])
        if len(best) != len(now) or fmean(now) < fmean(best):
            self.best = {"step": training.step, "losses": now, "learned": learned}
            self.worse = 0
            return
        each = [b - a for a, b in zip(best, now, strict=True)]
        error = math.sqrt(variance(each) / len(each))
        rise = fmean(each)
        certain = rise > max(OVERFITTING_ERRORS * error, OVERFITTING_SHARE * abs(fmean(best)))
        self.worse = self.worse + 1 if certain and learned < self.best["learned"] else 0
        if self.worse >= IN_A_ROW:
            self._say(training, fmean(now), learned)

    def _say(self, training: TrainerView, now: float, learned: float) -> None:
        step, before, then = self.best["step"], fmean(self.best["losses"]), self.best["learned"]
        self.warn_once(
            training,
            "overfitting",
            f"validation rises, from {before:.4f} at step {step} to {now:.4f}, "
            f"while training falls from {then:.4f} to {learned:.4f}: "
            "clips are learned by heart; train on more music, or take the best weights "
            "(`final_weights: best`)",
        )
