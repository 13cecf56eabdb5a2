"""Harmless: an observer whose failure is a warning, never the end of a training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mousai_kit.errors import MousaiError, first_line, one_line
from mousai_kit.ranks import RankError
from mousai_kit.training.observing import Observer
from mousai_kit.training.step import Taken

if TYPE_CHECKING:
    from mousai_kit.training.loop import Training

TRIES = 3
"""Failures after which an observer is told nothing more."""


class Harmless(Observer):
    """Passes on what it hears. Where that fails, a warning says `what` failed and why.

    After three failures, or one at the beginning, training goes on without it.
    """

    def __init__(self, observer: Observer, what: str) -> None:
        self.observer, self.what, self.name = observer, what, observer.name
        self.failures = 0

    def begun(self, training: Training) -> None:
        """Pass it on."""
        self._tell(training, lambda: self.observer.begun(training), counts=TRIES)

    def stepped(self, training: Training, taken: Taken) -> None:
        """Pass it on."""
        self._tell(training, lambda: self.observer.stepped(training, taken))

    def validated(self, training: Training, losses: dict[str, float]) -> None:
        """Pass it on."""
        self._tell(training, lambda: self.observer.validated(training, losses))

    def warned(self, training: Training, warning: str) -> None:
        """Pass it on."""
        self._tell(training, lambda: self.observer.warned(training, warning))

    def saved(self, training: Training) -> None:
        """Pass it on."""
        self._tell(training, lambda: self.observer.saved(training))

    def demonstrated(self, training: Training, demos: Sequence[Path]) -> None:
        """Pass it on."""
        self._tell(training, lambda: self.observer.demonstrated(training, demos))

    def ended(self, training: Training) -> None:
        """Pass it on."""
        self._tell(training, lambda: self.observer.ended(training))

    def state(self) -> dict[str, Any]:
        """Return what it remembers."""
        return self.observer.state()

    def load(self, state: dict[str, Any]) -> None:
        """Let it take over what it remembered."""
        self.observer.load(state)

    def _tell(self, training: Training, tell: Callable[[], None], counts: int = 1) -> None:
        if self.failures >= TRIES:
            return
        try:
            tell()
        except RankError:  # another process has ended, and so must this one
            raise
        except Exception as error:  # whatever a picture or a tracker may raise
            self.failures += counts
            without = " without it" if self.failures >= TRIES else ""
            told = one_line(first_line(error))
            with suppress(MousaiError):  # a full disk: the log tells of it at the next step
                training.warn(f"{self.what} failed ({told}); training goes on{without}")
