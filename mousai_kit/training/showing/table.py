"""The table: how a training stands, on the screen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.progress_bar import ProgressBar
from rich.table import Table as Grid
from rich.text import Text

from mousai_kit.console import QUIET_EVERY, Board, Screen
from mousai_kit.training.observing import Observer
from mousai_kit.training.showing.figures import Figures, most_memory
from mousai_kit.training.step import Taken

if TYPE_CHECKING:
    from mousai_kit.training.loop import Training


class Table(Observer):
    """A live table at the bottom of a terminal; where there is none, a line now and then."""

    def __init__(self, screen: Screen) -> None:
        self.screen, self.figures = screen, Figures()
        self._open = ExitStack()
        self._board: Board | None = None
        self._training: Training | None = None
        self._validation = self._warning = ""
        self._warnings = 0
        self._saved: tuple[int, float] | None = None
        self._said = time.monotonic()

    def begun(self, training: Training) -> None:
        """Show it."""
        self._training = training
        self.figures.begun(training)
        self._board = self._open.enter_context(self.screen.board(self))
        self._board.refresh()

    def stepped(self, training: Training, taken: Taken) -> None:
        """Show how it stands now, if it is time to."""
        self.figures.stepped(training, taken)
        if self._board is not None:
            self._board.refresh()
        if not self.screen.draws:
            self._say(training)

    def validated(self, training: Training, losses: dict[str, float]) -> None:
        """Remember a validation."""
        told = ", ".join(f"{condition} {loss:.4f}" for condition, loss in losses.items())
        self._validation = f"{told} (step {training.step})"

    def warned(self, training: Training, warning: str) -> None:
        """Say it above the table."""
        self.screen.say(f"{training.name}: step {training.step}: {warning}")
        self._warnings += 1
        self._warning = f"the last at step {training.step}: {warning}"

    def saved(self, training: Training) -> None:
        """Remember a checkpoint."""
        self._saved = training.step, time.monotonic()

    def ended(self, training: Training) -> None:
        """Leave the table as it stands at the end."""
        if self._board is not None:
            self._board.refresh(at_once=True)
        self._open.close()

    def __rich__(self) -> Grid:
        """Return what is drawn, at the width that there is."""
        training = self._training
        assert training is not None
        whole = Grid.grid(expand=True)
        whole.add_row(self._head(training))
        rows = Grid.grid(padding=(0, 2), expand=True)
        rows.add_column(style="dim", no_wrap=True, width=len("  validation"))
        rows.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        for label, told in self._rows(training):
            rows.add_row(f"  {label}", Text(told))
        whole.add_row(rows)
        return whole

    def _head(self, training: Training) -> Grid:
        """Return the stage, a bar and the time left."""
        head = Grid.grid(padding=(0, 1), expand=True)
        for ratio in (None, 1, None, None):
            head.add_column(ratio=ratio, no_wrap=True)
        head.add_row(
            Text(f"training {training.name}", style="bold"),
            ProgressBar(total=1.0, completed=training.progress),
            f"{training.step}/{training.settings.steps}",
            f"{_clock(self.figures.left(training))} left",
        )
        return head

    def _rows(self, training: Training) -> Iterator[tuple[str, str]]:
        """Yield what there is to tell, each with its label."""
        figures, steps = self.figures, self.figures.speed
        if steps:
            norm, rate = figures.gradient_norm, training.rate
            yield "loss", f"{self._loss()}   gradient {norm:.3g}   learning rate {rate:.3g}"
            memory = most_memory(training.learner.device) / 2**30
            yield (
                "speed",
                (
                    f"{steps:.3g} steps/s   {steps * training.settings.batch:.3g} clips/s   "
                    f"{_clock(training.seconds)} so far   at most {memory:.1f} GiB"
                ),
            )
        if self._validation:
            yield "validation", self._validation
        if self._saved is not None:
            step, at = self._saved
            yield "checkpoint", f"step {step}, {_clock(time.monotonic() - at)} ago"
        if self._warnings:
            yield "warnings", f"{self._warnings}, {self._warning}"

    def _say(self, training: Training) -> None:
        """Say a line now and then."""
        now = time.monotonic()
        if now - self._said < QUIET_EVERY:
            return
        self._said = now
        self.screen.say(
            f"training {training.name}: {training.step}/{training.settings.steps}, about "
            f"{_clock(self.figures.left(training))} left  loss {self._loss()}  "
            f"{self.figures.speed:.3g} steps/s"
        )

    def _loss(self) -> str:
        """Return the loss of late, and where it goes."""
        trend = self.figures.trend
        return f"{self.figures.loss:.4f}" + ("" if trend is None else f" ({trend})")


def _clock(seconds: float | None) -> str:
    """Return a time as 0:03:21."""
    return "-:--:--" if seconds is None else str(timedelta(seconds=round(seconds)))
