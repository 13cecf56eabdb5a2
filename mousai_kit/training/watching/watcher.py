"""Watcher: an observer that warns, and not over and over; examiner: one that looks at weights."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from mousai_kit.data import Clips, readable
from mousai_kit.training.observing import Observer
from mousai_kit.training.step import Taken

if TYPE_CHECKING:
    from mousai_kit.training.loop import Training

EXAMINATIONS = 3
"""The first examination, counted from 1, at which something may be found wrong."""
SHARE, STEPS = 0.2, 20_000
"""Share of the training, or steps, before which nothing may be: whichever comes first."""
UNHELD = 16
"""Training clips that serve where none are held out, at most."""


class Watcher(Observer):
    """Warns of each thing once, and again each time that the steps have doubled since."""

    name = "watcher"

    def __init__(self) -> None:
        self.said: dict[str, int] = {}
        """By what was told: the step at which it was told last."""

    def tell(self, training: Training, thing: str, warning: str) -> None:
        """Warn of a thing, if it is time to."""
        last = self.said.get(thing)
        if last is None or training.step >= 2 * max(last, 1):
            self.said[thing] = training.step
            training.warn(warning)

    def state(self) -> dict[str, Any]:
        """Return what was said when."""
        return {"said": dict(self.said)} if self.said else {}

    def load(self, state: dict[str, Any]) -> None:
        """Take over what was said when."""
        self.said = dict(state.get("said", {}))


class Examiner(Watcher):
    """Looks at the averaged weights at every validation, or where nothing is held out, as often.

    It begins where a training has come far enough: at the third validation at the earliest, after
    a fifth of the training or 20,000 steps.
    """

    def __init__(self) -> None:
        super().__init__()
        self.times = 0

    @abstractmethod
    def examine(self, training: Training, clips: Clips) -> None:
        """Look, and warn where something is wrong; `clips` are held out, if there are any."""

    def stepped(self, training: Training, taken: Taken) -> None:
        """Examine with training clips where it is time to and nothing is held out."""
        if not training.held_out and training.step % training.settings.validate_every == 0:
            self._count(training)

    def validated(self, training: Training, losses: dict[str, float]) -> None:
        """Examine with held-out clips."""
        self._count(training)

    def state(self) -> dict[str, Any]:
        """Return what was said, and how often one has looked."""
        return super().state() | ({"times": self.times} if self.times else {})

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned."""
        super().load(state)
        self.times = state.get("times", 0)

    def _count(self, training: Training) -> None:
        self.times += 1
        early = training.progress < SHARE and training.step < STEPS
        if self.times < EXAMINATIONS or early:
            return
        if clips := training.held_out or learned(training):
            self.examine(training, clips)


def learned(training: Training) -> Clips | None:
    """Return the first clips that are learned from, a few; None where they can't be decoded."""
    return readable(training.clips, lambda _: None, at_most=UNHELD)
