"""Progress: how far training is, on the screen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mousai_kit.console import Bar, Screen
from mousai_kit.training.observing import Observer
from mousai_kit.training.step import Taken

if TYPE_CHECKING:
    from mousai_kit.training.loop import Training


class Progress(Observer):
    """A progress bar, whose end is whichever of steps and minutes comes first."""

    def __init__(self, screen: Screen, bar: Bar) -> None:
        self.screen, self.bar = screen, bar

    @classmethod
    @contextmanager
    def shown(cls, screen: Screen, name: str, steps: int) -> Iterator[Progress]:
        """Show a bar while the context lasts."""
        with screen.bar(f"training {name}", steps) as bar:
            yield cls(screen, bar)

    def stepped(self, training: Training, taken: Taken) -> None:
        """Move the bar."""
        done = int(training.progress * training.settings.steps)
        self.bar.to(done, f"step {training.step}  loss {taken.loss:.4f}")

    def warned(self, training: Training, warning: str) -> None:
        """Say it above the bar."""
        self.screen.say(f"{training.name}: step {training.step}: {warning}")
