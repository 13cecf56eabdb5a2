"""Pace: whether all steps take far longer than a recipe expects."""

from __future__ import annotations

from mousai_kit.training.callbacks.base import TrainerView
from mousai_kit.training.callbacks.progress import RunningStats
from mousai_kit.training.monitors.base import Monitor
from mousai_kit.training.train_step import StepResult

LONGER = 1.5
"""Times the minutes expected from which on it is worth a line."""
SECONDS, SHARE = 30.0, 0.1
"""Seconds of steps that tell their speed, or this share of the time expected where that is less."""


class Pace(Monitor):
    """Warns where steps come so slowly that all of them will take more than 1.5 times the minutes
    that `expected_minutes` says. It ends nothing.
    """

    name = "pace"

    def __init__(self) -> None:
        super().__init__()
        self._figures: RunningStats | None = None
        self._since = 0.0

    def on_step_end(self, training: TrainerView, taken: StepResult) -> None:
        """Compare what is left with what is expected."""
        expected = training.settings.expected_minutes
        if expected is None:
            return
        if self._figures is None:  # what begins, or is compiled, at the first step is no speed
            self._figures, self._since = RunningStats(), training.seconds
            self._figures.on_train_start(training)
            return
        self._figures.on_step_end(training, taken)
        if training.seconds - self._since < min(SECONDS, SHARE * 60 * expected):
            return
        left = self._figures.seconds_left(training)
        if left is None or training.seconds + left <= LONGER * 60 * expected:
            return
        minutes, steps = (training.seconds + left) / 60, training.settings.steps
        self.warn_once(
            training,
            "slow",
            f"all {steps} steps will take about {minutes:.3g} minutes, {minutes / expected:.1f} "
            f"times the {expected:g} that are expected: {self._figures.speed:.3g} steps/s come, "
            f"{steps / (60 * expected):.3g} were expected; they are all taken, unless you lower "
            "`steps`, and a training that was ended goes on",
        )
