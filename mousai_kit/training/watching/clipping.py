"""Clipping: whether nearly every gradient is cut short."""

from __future__ import annotations

import math
from collections import deque
from statistics import median
from typing import TYPE_CHECKING, Any

from mousai_kit.training.step import Taken
from mousai_kit.training.watching.watcher import Watcher

if TYPE_CHECKING:
    from mousai_kit.training.loop import Training

WINDOW = 200
"""Steps that are looked at."""
SHARE = 0.95
"""Share of them that is nearly all."""


class Clipping(Watcher):
    """Warns where 95 % of the last 200 steps' gradients were longer than `clip_norm`.

    Those of the warm-up do not count.
    """

    name = "clipping"

    def __init__(self) -> None:
        super().__init__()
        self.norms: deque[float] = deque(maxlen=WINDOW)

    def stepped(self, training: Training, taken: Taken) -> None:
        """Remember a norm; count every 200 steps."""
        limit = training.settings.clip_norm
        if limit is None or training.step <= training.settings.warmup:
            return
        if math.isfinite(taken.gradient_norm):
            self.norms.append(taken.gradient_norm)
        if training.step % WINDOW or len(self.norms) < WINDOW:
            return
        share = sum(norm > limit for norm in self.norms) / WINDOW
        if share >= SHARE:
            self.tell(
                training,
                "clipped",
                f"{share:.0%} of the last {WINDOW} gradients were clipped (their norm is "
                f"{median(self.norms):.3g}, `clip_norm` {limit:g}): all steps are of one length; "
                "raise `clip_norm`, or lower `learning_rate`",
            )

    def state(self) -> dict[str, Any]:
        """Return what was said, and the norms."""
        return {**super().state(), "norms": list(self.norms)}

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned."""
        super().load(state)
        self.norms = deque(state.get("norms", []), maxlen=WINDOW)
