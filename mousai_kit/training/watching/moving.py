"""Moving: whether a learning rate moves the weights at all, or throws them about."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from mousai_kit.training.step import Taken
from mousai_kit.training.watching.watcher import Watcher

if TYPE_CHECKING:
    from mousai_kit.training.loop import Training

EVERY = 50
"""Steps from one look to the next; the first ones are not looked at."""
SAMPLE = 256
"""Values of each parameter that are looked at."""
WHOLE = 0.01
"""Share of their size by which a whole training must move the weights, at least."""
STEP = 0.1
"""Share of their size by which a step may move the weights, at most."""
LOOKS = 2
"""Looks in a row at which a step must be too small: one may be at a step that was left out."""


class Moving(Watcher):
    """Warns where steps are so small that the whole training moves the weights by less than 1 %, or
    so large that one moves them by more than 10 %.

    It compares a sample of the weights before and after every 50th step. AdamW's are moved by
    about the learning rate each, whatever the loss.
    """

    name = "moving"

    def __init__(self) -> None:
        super().__init__()
        self.small = 0
        self._before: Tensor | None = None

    def begun(self, training: Training) -> None:
        """Look, where the next step is one to compare."""
        self._look(training)

    def stepped(self, training: Training, taken: Taken) -> None:
        """Compare after every 50th step."""
        step = training.step
        if self._before is not None and step % EVERY == 0:
            now = sample(training.learner.learned)
            moved = ((now - self._before).norm() / self._before.norm().clamp(min=1e-12)).item()
            self._judge(training, moved)
        self._look(training)

    def state(self) -> dict[str, Any]:
        """Return what was said, and at how many looks in a row a step was too small."""
        return {**super().state(), "small": self.small}

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned."""
        super().load(state)
        self.small = state.get("small", 0)

    def _look(self, training: Training) -> None:
        next_is = (training.step + 1) % EVERY == 0
        self._before = sample(training.learner.learned) if next_is else None

    def _judge(self, training: Training, moved: float) -> None:
        """Warn where a step that moved the weights by this share of their size is not sound."""
        rate, steps = training.rate, training.step / max(training.progress, 1e-9)
        if not math.isfinite(moved):
            return
        if moved > STEP:
            self.tell(
                training,
                "large",
                f"a step moves the weights by {moved:.2g} of their size, at a learning rate of "
                f"{rate:.2g}: nothing fine can be learned; lower `learning_rate`",
            )
        little = training.step > training.settings.warmup and moved * steps < WHOLE
        self.small = self.small + 1 if little else 0
        if self.small >= LOOKS:
            self.tell(
                training,
                "small",
                f"a step moves the weights by {moved:.2g} of their size, at a learning rate of "
                f"{rate:.2g}: all {steps:.0f} steps by {moved * steps:.2g} at most, which does "
                "next to nothing; raise `learning_rate`",
            )


def sample(parameters: list[nn.Parameter]) -> Tensor:
    """Return some values of each parameter, weighed so that their norm is about that of all.

    Of a parameter that is shared out among processes, this process's part is looked at.
    """
    found = []
    for parameter in parameters:
        whole = parameter.detach()
        values = getattr(whole, "to_local", whole.detach)().flatten()
        if stride := max(1, len(values) // SAMPLE) if len(values) else 0:
            found.append(values[::stride].float() * math.sqrt(stride))
    return torch.cat(found)
