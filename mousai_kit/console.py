"""The terminal: lines, and progress bars with the time left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from mousai_kit.ranks.place import PLACE

QUIET_EVERY = 15.0
"""Seconds between progress lines where the output is no terminal."""


class Screen:
    """Where a command talks: standard error, so that `--json` keeps standard output clean.

    A quiet one says nothing; of several processes that work together, only the first talks.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(
            stderr=True, highlight=False, soft_wrap=True, quiet=quiet or not PLACE.main
        )

    def say(self, line: str) -> None:
        """Print a line."""
        self._console.print(escape(line))

    @contextmanager
    def bar(self, label: str, total: float) -> Iterator[Bar]:
        """Show a progress bar of `total` units while the context lasts."""
        if self._console.quiet or not self._console.is_terminal:
            yield Bar(label, total, self)
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=self._console) as progress:
            yield Bar(label, total, self, progress)


class Bar:
    """A progress bar; without a terminal, a line now and then."""

    def __init__(
        self, label: str, total: float, screen: Screen, progress: Progress | None = None
    ) -> None:
        self.label, self.total, self.done = label, total, 0.0
        self._screen, self._progress = screen, progress
        self._started = self._said = time.monotonic()
        self._task = progress.add_task(label, total=total, note="") if progress else None

    def advance(self, units: float = 1.0, note: str = "") -> None:
        """Go on by some units."""
        self.to(self.done + units, note)

    def to(self, done: float, note: str = "") -> None:
        """Stand at `done` of `total`."""
        self.done = done
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=done, note=escape(note))
            return
        now = time.monotonic()
        if now - self._said >= QUIET_EVERY and done:
            self._said = now
            left = (now - self._started) * max(0.0, self.total - done) / done
            self._screen.say(
                f"{self.label}: {done:.0f}/{self.total:.0f}, about "
                f"{timedelta(seconds=round(left))} left  {note}".rstrip()
            )
