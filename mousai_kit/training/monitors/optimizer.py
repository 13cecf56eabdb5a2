"""Monitors of the optimizer: how far steps move the weights, clipped gradients, the loss scale."""

from __future__ import annotations

import math
from collections import deque
from statistics import median

import torch
from torch import Tensor, nn

from mousai_kit.training.callbacks.base import TrainerView
from mousai_kit.training.monitors.base import Monitor
from mousai_kit.training.train_step import StepResult

EVERY = 50
"""Steps from one look to the next; the first ones are not looked at."""
SAMPLE = 256
"""Values of each parameter that are looked at."""
WHOLE = 0.01
"""Share of their size by which a whole training must move the weights, at least."""
STEP = 0.1
"""Share of their size by which a step may move the weights, at most."""


class UpdateRatioMonitor(Monitor):
    """Warns where steps are so small that the whole training moves the weights by less than 1 %, or
    so large that one moves them by more than 10 %.

    It compares a sample of the weights before and after every 50th step. AdamW's are moved by
    about the learning rate each, whatever the loss.
    """

    name = "moving"
    state_fields = ("small",)

    def __init__(self) -> None:
        super().__init__()
        self.small = 0
        self._before: Tensor | None = None

    def on_train_start(self, training: TrainerView) -> None:
        """Look, where the next step is one to compare."""
        self._look(training)

    def on_step_end(self, training: TrainerView, taken: StepResult) -> None:
        """Compare after every 50th step."""
        step = training.step
        if self._before is not None and step % EVERY == 0:
            now = sample(training.learner.learned)
            moved = ((now - self._before).norm() / self._before.norm().clamp(min=1e-12)).item()
            self._judge(training, moved)
        self._look(training)

    def _look(self, training: TrainerView) -> None:
        next_is = (training.step + 1) % EVERY == 0
        self._before = sample(training.learner.learned) if next_is else None

    def _judge(self, training: TrainerView, moved: float) -> None:
        """Warn where a step that moved the weights by this share of their size is not sound."""
        rate, steps = training.rate, training.step / max(training.progress, 1e-9)
        if not math.isfinite(moved):
            return
        if moved > STEP:
            self.warn_once(
                training,
                "large",
                f"a step moves the weights by {moved:.2g} of their size, at a learning rate of "
                f"{rate:.2g}: nothing fine can be learned; lower `learning_rate`",
            )
        little = training.step > training.settings.warmup and moved * steps < WHOLE
        self.small = self.small + 1 if little else 0
        if self.small >= 2:  # one may be at a step that was left out
            self.warn_once(
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


WINDOW = 200
"""Steps that are looked at."""
SHARE = 0.95
"""Share of them that is nearly all."""


class GradientClipMonitor(Monitor):
    """Warns where 95 % of the last 200 steps' gradients were longer than `clip_norm`.

    Those of the warm-up do not count.
    """

    name = "clipping"
    state_fields = ("norms",)

    def __init__(self) -> None:
        super().__init__()
        self.norms: deque[float] = deque(maxlen=WINDOW)

    def on_step_end(self, training: TrainerView, taken: StepResult) -> None:
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
            self.warn_once(
                training,
                "clipped",
                f"{share:.0%} of the last {WINDOW} gradients were clipped (their norm is "
                f"{median(self.norms):.3g}, `clip_norm` {limit:g}): all steps are of one length; "
                "raise `clip_norm`, or lower `learning_rate`",
            )


LOWEST = 1.0
"""Scale below which fp16 is out of its range: it begins at 65536."""


class LossScaleMonitor(Monitor):
    """Warns where gradients are infinite in fp16 at any scale, so that step after step is left out.

    Each of them halves the scale.
    """

    name = "scaling"

    def on_step_end(self, training: TrainerView, taken: StepResult) -> None:
        """Look at the scale every 20 steps."""
        learner = training.learner
        if not learner.scales_loss or training.step % 20:
            return
        scale = learner.scaler.get_scale()
        if scale < LOWEST:
            self.warn_once(
                training,
                "collapsed",
                f"the loss scale of fp16 has fallen to {scale:.2g}: gradients are infinite and "
                "steps are left out; use `precision: bf16`, or lower `learning_rate`",
            )
