"""Contention: whether another program takes the processor from a training."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from mousai_kit.training import cpu_share
from mousai_kit.training.callbacks.base import TrainerView
from mousai_kit.training.cpu_share import CpuUse, Reading
from mousai_kit.training.monitors.base import Monitor
from mousai_kit.training.train_step import StepResult

SECONDS, STEPS = 20.0, 3
"""Seconds of training, and steps, from one look to the next, at least."""
EVERY = 300.0
"""Seconds of training from one warning to the next, at least."""
STRETCH = 2.0
"""Times as long as alone that steps take where another program is worth a line."""
OTHERS = 0.25
"""Cores that others must have, at least: less does not do it."""


class Contention(Monitor):
    """Warns where a training has less than half of the cores that it asks for, and other programs
    have them; once in five minutes, as long as that is so.
    """

    name = "contention"

    def __init__(self, read: Callable[[], Reading] = cpu_share.read_counters) -> None:
        super().__init__()
        self._read = read
        self._before: Reading | None = None
        self._since = self._last = 0.0
        self._steps: list[float] = []
        self._best: float | None = None
        self._told: float | None = None

    def on_train_start(self, training: TrainerView) -> None:
        """Take a reading."""
        self._look_from(training.seconds)
        self._last = training.seconds

    def on_step_end(self, training: TrainerView, taken: StepResult) -> None:
        """Look when it is time to."""
        now = training.seconds
        self._steps.append(now - self._last)
        self._last = now
        if now - self._since < SECONDS or len(self._steps) < STEPS or self._before is None:
            return
        use, step = CpuUse.between(self._before, self._read()), median(self._steps)
        self._best = step if self._best is None else min(step, self._best)
        self._look_from(now)
        due = self._told is None or now - self._told >= EVERY
        if due and use.stretch >= STRETCH and use.others >= OTHERS:
            self._told = now
            training.warn(_warning(use, step, self._best))

    def _look_from(self, now: float) -> None:
        """Begin to count anew."""
        self._before, self._since, self._steps = self._read(), now, []


def _warning(use: CpuUse, step: float, best: float) -> str:
    """Return what to say of steps that take so many seconds, and took `best` at their best."""
    slower = f"steps may take {use.stretch:.1f} times as long as alone"
    if step >= STRETCH * best:
        slower = (
            f"steps take {step / best:.1f} times as long as at their best ({step:.3g} s instead of "
            f"{best:.3g} s)"
        )
    return (
        f"another program is using the processor: {slower}; this training has {use.got:.1f} of the "
        f"{use.asked:.1f} cores that it asks for ({use.others:.1f} of {use.cores} cores are busy "
        "with others); end the other program, or give it a lower priority (`nice`)"
    )
