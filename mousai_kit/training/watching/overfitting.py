"""Overfitting: whether held-out clips get worse while those that are learned from get better."""

from __future__ import annotations

import math
from statistics import fmean, variance
from typing import TYPE_CHECKING, Any

from mousai_kit.training.step import Taken
from mousai_kit.training.watching.watcher import Watcher

if TYPE_CHECKING:
    from mousai_kit.training.loop import Training

IN_A_ROW = 3
"""Validations in a row that must be worse than the best one."""
ERRORS = 3.0
"""Standard errors by which they must be; the same clips and noise are compared, one by one."""
SHARE = 0.01
"""Share of the loss by which they must be worse, in any case."""


class Overfitting(Watcher):
    """Warns where the last three validations are all worse than the best one, beyond chance, while
    the loss of training has fallen since.
    """

    name = "overfitting"

    def __init__(self) -> None:
        super().__init__()
        self.best: dict[str, Any] = {}
        """The best validation: its step, the loss of each draw, and of training around it."""
        self.worse = 0
        self._total, self._count = 0.0, 0

    def stepped(self, training: Training, taken: Taken) -> None:
        """Add up losses between two validations."""
        if math.isfinite(taken.loss):
            self._total += taken.loss
            self._count += 1

    def validated(self, training: Training, losses: dict[str, float]) -> None:
        """Compare with the best validation."""
        if training.draws is None:
            return
        learned = self._total / max(1, self._count)
        self._total, self._count = 0.0, 0
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
        certain = rise > max(ERRORS * error, SHARE * abs(fmean(best)))
        self.worse = self.worse + 1 if certain and learned < self.best["learned"] else 0
        if self.worse >= IN_A_ROW:
            self._say(training, fmean(now), learned)

    def state(self) -> dict[str, Any]:
        """Return what was said, and what the next validation is compared with."""
        sums = {"worse": self.worse, "total": self._total, "count": self._count}
        return {**super().state(), "best": dict(self.best), **sums}

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned."""
        super().load(state)
        self.best, self.worse = dict(state.get("best", {})), state.get("worse", 0)
        self._total, self._count = state.get("total", 0.0), state.get("count", 0)

    def _say(self, training: Training, now: float, learned: float) -> None:
        step, before, then = self.best["step"], fmean(self.best["losses"]), self.best["learned"]
        self.tell(
            training,
            "overfitting",
            f"validation rises, from {before:.4f} at step {step} to {now:.4f}, "
            f"while training falls from {then:.4f} to {learned:.4f}: "
            "clips are learned by heart; train on more music, or take the best weights "
            "(`finish: best`)",
        )
