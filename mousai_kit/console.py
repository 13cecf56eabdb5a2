"""The terminal: lines, progress bars with the time left, and what stays below the lines."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console, Group, RenderableType
from rich.constrain import Constrain
from rich.live import Live
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from mousai_kit.ranks.rank import Rank

QUIET_EVERY = 15.0
"""Seconds between progress lines where the output is no terminal."""
REDRAWN_EVERY = 0.5
"""Seconds between two drawings of a board, at least."""
SHARE = 0.005
"""Share of the time that drawing a board may take."""


class Screen:
    """Where a command talks: standard error, so that `--json` keeps standard output clean.

    A quiet one says nothing; of several processes that work together, only the first talks.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(
            stderr=True, highlight=False, soft_wrap=True, quiet=quiet or not Rank.here().main
        )
        self._board: Board | None = None

    @property
    def draws(self) -> bool:
        """Return whether there is a terminal, on which a place can be drawn again."""
        return self._console.is_terminal and not self._console.quiet

    def say(self, line: str) -> None:
        """Print a line."""
        self._console.print(escape(line))

    @contextmanager
    def doing(self) -> Iterator[Callable[[str], None]]:
        """Show what is being done: on a terminal in one line, gone afterwards, else line by line.

        What it yields is told each time that something else is begun.
        """
        if not self.draws:
            yield self.say
            return
        with self._console.status("") as status:
            yield lambda line: status.update(escape(line))

    @contextmanager
    def bar(self, label: str, total: float) -> Iterator[Bar]:
        """Show a progress bar of `total` units while the context lasts, below a board if any."""
        if not self.draws:
            yield Bar(label, total, self)
            return
        progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._console,
        )
        with progress if self._board is None else self._board.joined_by(progress):
            yield Bar(label, total, self, progress, self._board)

    @contextmanager
    def board(self, shown: RenderableType) -> Iterator[Board]:
        """Keep something at the bottom of the terminal, below all lines, while the context lasts.

        What is drawn last stays there. Nothing is drawn where there is no terminal.
        """
        board = Board(self._console, shown)
        if not self.draws:
            yield board
            return
        with board.live:
            self._console.show_cursor()  # whoever is killed leaves the terminal as it was
            self._board = board
            try:
                yield board
            finally:
                self._board = None


class Board:
    """What is kept at the bottom of the terminal. It is drawn again when it is asked to be, but
    seldom enough to cost next to nothing.
    """

    def __init__(self, console: Console, shown: RenderableType) -> None:
        self._parts = [shown]
        self._next = 0.0
        self._console = console
        self.live = Live(console=console, get_renderable=self._drawn, auto_refresh=False)

    def refresh(self, *, at_once: bool = False) -> None:
        """Draw it again, if it is time to."""
        before = time.monotonic()
        if self.live.is_started and (at_once or before >= self._next):
            self.live.refresh()
            now = time.monotonic()
            self._next = now + max(REDRAWN_EVERY, (now - before) / SHARE)

    @contextmanager
    def joined_by(self, part: RenderableType) -> Iterator[None]:
        """Show a part below the others while the context lasts."""
        self._parts.append(part)
        try:
            yield
        finally:
            self._parts.remove(part)
            self.refresh(at_once=True)

    def _drawn(self) -> Constrain:
        """Return all parts, in lines that leave room for the ^C of a terminal that echoes it."""
        return Constrain(Group(*self._parts), self._console.width - 3)


class Bar:
    """A progress bar; without a terminal, a line now and then."""

    def __init__(
        self,
        label: str,
        total: float,
        screen: Screen,
        progress: Progress | None = None,
        board: Board | None = None,
    ) -> None:
        self.label, self.total, self.done = label, total, 0.0
        self._screen, self._progress, self._board = screen, progress, board
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
            if self._board is not None:
                self._board.refresh()
            return
        now = time.monotonic()
        if now - self._said >= QUIET_EVERY and done:
            self._said = now
            left = (now - self._started) * max(0.0, self.total - done) / done
            self._screen.say(
                f"{self.label}: {done:.0f}/{self.total:.0f}, about "
                f"{timedelta(seconds=round(left))} left  {note}".rstrip()
            )
