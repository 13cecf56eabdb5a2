"""Guard: looks at every step before it moves the weights."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from mousai_kit.core.errors import Problem, TrainingError
from mousai_kit.recipe import Train
from mousai_kit.training.train_step import StepResult

LATELY = 100
"""Steps that count as the last ones. A loss is compared with those before them, so that one that
grows slowly is noticed as well as one that leaps."""
ENOUGH = 20
"""Steps to compare with, at least."""
SKIPS, BACK_OFFS = 10, 5
"""Batches that are left out of the last `LATELY`, and times that training goes back, at most."""


class Verdict(Enum):
    """What is to become of a step."""

    TAKE = "take"
    SKIP = "skip"
    BACK_OFF = "back-off"


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to become of a step, and what there is to say of it, if anything."""

    verdict: Verdict
    warning: str = ""


class LossGuard:
    """Sees to what the recipe says where a loss is not finite or explodes.

    It leaves the batch out; or stops training, with step, clips and the last checkpoint; or goes
    back to the last checkpoint's weights, and on from there at half the learning rate.
    """

    def __init__(self, name: str, settings: Train, newest: Callable[[], Path | None]) -> None:
        self.name, self.settings, self.newest = name, settings, newest
        self._losses = deque[float](maxlen=2 * LATELY)
        self._bad: list[int] = []
        self._back_offs = 0

    @property
    def share(self) -> float:
        """Return the share of the learning rate that going back has left."""
        return float(0.5**self._back_offs)

    @property
    def has_alarmed(self) -> bool:
        """Return whether there was anything wrong by now."""
        return bool(self._bad)

    def check(self, step: int, taken: StepResult, *, scaled: bool) -> Decision:
        """Return what is to become of step `step`; TrainingError where training must stop.

        `scaled` says that the loss is scaled, so that an infinite gradient is nobody's fault.
        """
        if not (fault := self._fault(taken, scaled)):
            self._losses.append(taken.loss)
            return Decision(Verdict.TAKE)
        if self.settings.on_bad_loss == "stop":
            raise self._end(step, fault)
        self._bad = [*(item for item in self._bad if item > step - LATELY), step]
        if self.settings.on_bad_loss == "skip":
            if len(self._bad) > SKIPS:
                raise self._end(step, f"{fault}; so were {SKIPS} more of the last {LATELY} steps")
            return Decision(Verdict.SKIP, f"{fault}; the batch is left out")
        if self._back_offs == BACK_OFFS:
            raise self._end(step, f"{fault}; training went back {BACK_OFFS} times before")
        self._back_offs += 1
        self._losses = deque(list(self._losses)[:-LATELY], maxlen=2 * LATELY)
        left = f"the learning rate is {self.share:g} of the recipe's from here on"
        return Decision(Verdict.BACK_OFF, f"{fault}; back to the last checkpoint's weights; {left}")

    def state(self) -> dict[str, Any]:
        """Return what there is to remember, as JSON values."""
        return {"losses": [*self._losses], "bad": self._bad, "back_offs": self._back_offs}

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned."""
        self._losses = deque(state.get("losses", ()), maxlen=2 * LATELY)
        self._bad, self._back_offs = state.get("bad", []), state.get("back_offs", 0)

    def _fault(self, taken: StepResult, scaled: bool) -> str:
        """Return what is wrong with a step, and on which clips; empty if nothing is."""
        finite = [math.isfinite(loss) for loss in taken.losses]
        if not (all(finite) and (scaled or math.isfinite(taken.gradient_norm))):
            named = [source for source, good in zip(taken.sources, finite, strict=True) if not good]
            return f"the loss is not finite (NaN or infinity) on {_clips(named or taken.sources)}"
        before, limit = list(self._losses)[:-LATELY], self.settings.loss_explosion_factor
        if limit is None or len(before) < ENOUGH:
            return ""
        most = max(map(abs, before))  # a loss may fall below 0
        if taken.loss <= limit * most:
            return ""
        worst = sorted(zip(taken.losses, taken.sources, strict=True), reverse=True)
        return (
            f"the loss explodes: {taken.loss:.3g} is over {limit:g} times {most:.3g}, the "
            f"most of steps up to {LATELY} before, on {_clips([source for _, source in worst])}"
        )

    def _end(self, step: int, fault: str) -> TrainingError:
        """Return what training stops with."""
        kept = self.newest()
        known = f"the last good checkpoint is {kept}" if kept else "there is no checkpoint"
        ways = "look at the clip, or lower `learning_rate`, or use `precision: fp32`"
        if self.settings.on_bad_loss == "stop":
            ways += ", or `on_bad_loss: skip` or `back-off`"
        return TrainingError(Problem(self.name, f"step {step}", f"{fault}; {known}; {ways}"))


def _clips(sources: list[str]) -> str:
    return ", ".join(f"'{source}'" for source in [*dict.fromkeys(sources)][:3])
