"""Guard: looks at every step before it moves the weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

from mousai_kit.errors import Problem, TrainingError
from mousai_kit.training.step import Taken


class Verdict(Enum):
    """What is to become of a step."""

    TAKE = "take"
    SKIP = "skip"


class Guard:
    """Stops training, with step, clips and the last checkpoint, where a loss is not finite."""

    def __init__(self, name: str, newest: Callable[[], Path | None]) -> None:
        self.name, self.newest = name, newest

    def judge(self, step: int, taken: Taken, *, scaled: bool) -> Verdict:
        """Return what is to become of step `step`; TrainingError where training must stop.

        `scaled` says that the loss is scaled, so that an infinite gradient is nobody's fault.
        """
        finite = [math.isfinite(it) for it in taken.losses]
        if all(finite) and (scaled or math.isfinite(taken.gradient_norm)):
            return Verdict.TAKE
        named = [it for it, good in zip(taken.sources, finite, strict=True) if not good]
        clips = ", ".join(f"'{it}'" for it in dict.fromkeys((named or taken.sources)[:3]))
        kept = self.newest()
        known = f"the last good checkpoint is {kept}" if kept else "there is no checkpoint"
        raise TrainingError(
            Problem(
                self.name,
                f"step {step}",
                f"the loss is not finite (NaN or infinity) on {clips}; {known}; "
                "look at the clip, or lower `learning_rate`, or use `precision: fp32`",
            )
        )

    def state(self) -> dict[str, Any]:
        """Return what there is to remember, as JSON values."""
        return {}

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned."""
