"""Progress: how a training stands, in numbers and on the screen."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from statistics import fmean, variance

from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.table import Table as Grid
from rich.text import Text

from mousai_kit.core.console import LineWriter, LiveDisplay, Screen
from mousai_kit.models.memory import peak_bytes
from mousai_kit.training.callbacks.base import Callback, TrainerView
from mousai_kit.training.train_step import StepResult

SMOOTHED = 100
"""Steps whose mean loss is shown, and compared with as many before them."""
RECENT = 120.0
"""Seconds from which speed is told: what was long ago says little of what is to come."""


class RunningStats(Callback):
    """Keeps the last steps' losses and times, and answers from them."""

    def __init__(self) -> None:
        self._losses: deque[float] = deque(maxlen=2 * SMOOTHED)
        self._pace: deque[tuple[float, int]] = deque()
        self.gradient_norm = math.nan

    def on_train_start(self, training: TrainerView) -> None:
        """Take the time."""
        self._pace.append((training.seconds, training.step))

    def on_step_end(self, training: TrainerView, taken: StepResult) -> None:
        """Remember a step; one whose loss is not finite has only its time."""
        if math.isfinite(taken.loss):
            self._losses.append(taken.loss)
        self.gradient_norm = taken.gradient_norm
        pace, now = self._pace, training.seconds
        if len(pace) > 1 and pace[-1][0] - pace[-2][0] < 1.0:
            pace.pop()
        pace.append((now, training.step))
        while len(pace) > 2 and now - pace[1][0] > RECENT:
            pace.popleft()

    @property
    def loss(self) -> float:
        """Return the mean loss of the last steps; NaN before the first."""
        return fmean(list(self._losses)[-SMOOTHED:]) if self._losses else math.nan

    @property
    def trend(self) -> str | None:
        """Return how the last steps' loss differs from that of those before them, in words.

        None where there are fewer than ten of each. A difference within two standard errors is no
        difference.
        """
        half = len(self._losses) // 2
        if half < 10:
            return None
        told = list(self._losses)
        before, after = told[-2 * half : -half], told[-half:]
        error = math.sqrt((variance(before) + variance(after)) / half)
        change = fmean(after) - fmean(before)
        if abs(change) <= 2 * error:
            return "level"
        return f"{'falling' if change < 0 else 'rising'} by {abs(change):.2g}"

    @property
    def speed(self) -> float:
        """Return the steps a second of the last two minutes; 0 before the first step."""
        if not self._pace:
            return 0.0
        (then, first), (now, last) = self._pace[0], self._pace[-1]
        return (last - first) / (now - then) if now > then else 0.0

    def seconds_left(self, training: TrainerView) -> float | None:
        """Return the seconds until steps or minutes are used up; None before it can be told."""
        if not self.speed:
            return None
        settings = training.settings
        steps = (settings.steps - training.step) / self.speed
        minutes = math.inf if settings.minutes is None else 60 * settings.minutes
        return max(0.0, min(steps, minutes - training.seconds))


class ProgressTable(Callback):
    """A live table at the bottom of a terminal; where there is none, a line now and then."""

    def __init__(self, screen: Screen) -> None:
        self.screen, self.figures = screen, RunningStats()
        self._open = ExitStack()
        self._board: LiveDisplay | None = None
        self._training: TrainerView | None = None
        self._validation = self._warning = ""
        self._warnings = 0
        self._saved: tuple[int, float] | None = None
        self._lines = LineWriter(screen, self._line)

    def on_train_start(self, training: TrainerView) -> None:
        """Show it."""
        self._training = training
        self.figures.on_train_start(training)
        self._board = self._open.enter_context(self.screen.board(self))
        self._board.refresh()
        if not self.screen.is_interactive:
            self._open.enter_context(self._lines.going_on())

    def on_step_end(self, training: TrainerView, taken: StepResult) -> None:
        """Show how it stands now, if it is time to."""
        self.figures.on_step_end(training, taken)
        if self._board is not None:
            self._board.refresh()
        if not self.screen.is_interactive:
            self._lines.look()

    def on_validation_end(self, training: TrainerView, losses: dict[str, float]) -> None:
        """Remember a validation."""
        told = ", ".join(f"{condition} {loss:.4f}" for condition, loss in losses.items())
        self._validation = f"{told} (step {training.step})"

    def on_warning(self, training: TrainerView, warning: str) -> None:
        """Say it above the table."""
        self.screen.print(f"{training.name}: step {training.step}: {warning}")
        self._warnings += 1
        self._warning = f"the last at step {training.step}: {warning}"

    def on_checkpoint(self, training: TrainerView) -> None:
        """Remember a checkpoint."""
        self._saved = training.step, time.monotonic()

    def on_train_end(self, training: TrainerView) -> None:
        """Leave the table as it stands at the end."""
        if self._board is not None:
            self._board.refresh(at_once=True)
        self._open.close()

    def __rich__(self) -> Group:
        """Return what is drawn, at the width that there is."""
        training = self._training
        assert training is not None
        rows = Grid.grid(padding=(0, 2), expand=True)
        rows.add_column(style="dim", no_wrap=True, width=len("  validation"))
        rows.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        for label, told in self._rows(training):
            rows.add_row(f"  {label}", Text(told))
        return Group(self._head(training), rows)

    def _head(self, training: TrainerView) -> Grid:
        """Return the stage, a bar and the time left."""
        head = Grid.grid(padding=(0, 1), expand=True)
        for ratio in (None, 1, None, None):
            head.add_column(ratio=ratio, no_wrap=True)
        head.add_row(
            Text(f"training {training.name}", style="bold"),
            ProgressBar(total=1.0, completed=training.progress),
            f"{training.step}/{training.settings.steps}",
            f"{_clock(self.figures.seconds_left(training))} left",
        )
        return head

    def _rows(self, training: TrainerView) -> Iterator[tuple[str, str]]:
        """Yield what there is to tell, each with its label."""
        figures, steps = self.figures, self.figures.speed
        if steps:
            norm, rate = figures.gradient_norm, training.rate
            yield "loss", f"{self._loss()}   gradient {norm:.3g}   learning rate {rate:.3g}"
            clips, memory = steps * training.settings.batch, peak_bytes(training.learner.device)
            so_far = f"{_clock(training.seconds)} so far   at most {memory / 2**30:.1f} GiB"
            yield "speed", f"{steps:.3g} steps/s   {clips:.3g} clips/s   {so_far}"
        if self._validation:
            yield "validation", self._validation
        if self._saved is not None:
            step, at = self._saved
            yield "checkpoint", f"step {step}, {_clock(time.monotonic() - at)} ago"
        if self._warnings:
            yield "warnings", f"{self._warnings}, {self._warning}"

    def _line(self) -> str:
        """Return a line on how it stands."""
        training = self._training
        assert training is not None
        told = f"training {training.name}: {training.step}/{training.settings.steps}, "
        if not self.figures.speed:
            return f"{told}the next step takes its time"
        left = _clock(self.figures.seconds_left(training))
        return f"{told}about {left} left  loss {self._loss()}  {self.figures.speed:.3g} steps/s"

    def _loss(self) -> str:
        """Return the loss of late, and where it goes."""
        trend = self.figures.trend
        return f"{self.figures.loss:.4f}" + ("" if trend is None else f" ({trend})")


def _clock(seconds: float | None) -> str:
    """Return a time as 0:03:21."""
    return "-:--:--" if seconds is None else str(timedelta(seconds=round(seconds)))
