"""Watcher: an observer that warns, and not over and over; examiner: one that looks at weights."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from copy import copy
from typing import Any, ClassVar

from mousai_kit.data.datasets import ClipSource, readable
from mousai_kit.training.callbacks.base import Callback, TrainerView
from mousai_kit.training.train_step import StepResult

EXAMINATIONS = 3
"""The first examination, counted from 1, at which something may be found wrong."""
SHARE, STEPS = 0.2, 20_000
"""Share of the training, or steps, before which nothing may be: whichever comes first."""
UNHELD = 16
"""Training clips that serve where none are held out, at most."""


class Monitor(Callback):
    """Warns of each thing once, and again each time that the steps have doubled since."""

    name = "watcher"
    state_fields: ClassVar[tuple[str, ...]] = ()
    """Attributes that a checkpoint keeps, beside what was said."""

    def __init__(self) -> None:
        self.task = f"watching ({self.name})"
        self.said: dict[str, int] = {}
        """By what was told: the step at which it was told last."""

    def warn_once(self, training: TrainerView, thing: str, warning: str) -> None:
        """Warn of a thing, if it is time to."""
        last = self.said.get(thing)
        if last is None or training.step >= 2 * max(last, 1):
            self.said[thing] = training.step
            training.warn(warning)

    def state(self) -> dict[str, Any]:
        """Return what was said when, and the fields."""
        state: dict[str, Any] = {"said": dict(self.said)} if self.said else {}
        for name in self.state_fields:
            value = getattr(self, name)
            state[name] = list(value) if isinstance(value, deque) else copy(value)
        return state

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned; a field that is missing there begins anew."""
        self.said = dict(state.get("said", {}))
        for name in self.state_fields:
            first = getattr(type(self)(), name)
            value = copy(state.get(name, first))
            setattr(self, name, deque(value, first.maxlen) if isinstance(first, deque) else value)


class ValidationMonitor(Monitor):
    """Looks at the averaged weights at every validation, or where nothing is held out, as often.

    It begins where a training has come far enough: at the third validation at the earliest, after
    a fifth of the training or 20,000 steps.
    """

    state_fields = ("times",)

    def __init__(self) -> None:
        super().__init__()
        self.times = 0

    @abstractmethod
    def examine(self, training: TrainerView, clips: ClipSource) -> None:
        """Look, and warn where something is wrong; `clips` are held out, if there are any."""

    def on_step_end(self, training: TrainerView, taken: StepResult) -> None:
        """Examine with training clips where it is time to and nothing is held out."""
        if not training.held_out and training.step % training.settings.validate_every == 0:
            self._count(training)

    def on_validation_end(self, training: TrainerView, losses: dict[str, float]) -> None:
        """Examine with held-out clips."""
        self._count(training)

    def _count(self, training: TrainerView) -> None:
        self.times += 1
        early = training.progress < SHARE and training.step < STEPS
        if self.times < EXAMINATIONS or early:
            return
        if clips := training.held_out or few_training_clips(training):
            self.examine(training, clips)


def few_training_clips(training: TrainerView) -> ClipSource | None:
    """Return the first clips that are learned from, a few; None where they can't be decoded."""
    return readable(training.clips, lambda _: None, at_most=UNHELD)
