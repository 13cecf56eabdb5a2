"""Scaling: whether the loss scale of fp16 collapses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mousai_kit.training.step import Taken
from mousai_kit.training.watching.watcher import Watcher

if TYPE_CHECKING:
    from mousai_kit.training.loop import Training

EVERY = 20
"""Steps from one look to the next."""
LOWEST = 1.0
"""Scale below which fp16 is out of its range: it begins at 65536."""


class Scaling(Watcher):
    """Warns where gradients are infinite in fp16 at any scale, so that step after step is left out.

    Each of them halves the scale.
    """

    name = "scaling"

    def stepped(self, training: Training, taken: Taken) -> None:
        """Look at the scale now and then."""
        learner = training.learner
        if not learner.scaled or training.step % EVERY:
            return
        scale = learner.scaler.get_scale()
        if scale < LOWEST:
            self.tell(
                training,
                "collapsed",
                f"the loss scale of fp16 has fallen to {scale:.2g}: gradients are infinite and "
                "steps are left out; use `precision: bf16`, or lower `learning_rate`",
            )
