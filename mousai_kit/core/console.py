"""The terminal: lines, progress bars with the time left, and what stays below the lines.

Whatever lasts is told of within three seconds, and shown to go on: on a terminal what stands at the
bottom is drawn again every second or two, elsewhere a line comes now and then. A thread of its own
sees to it, so that work which calls nobody for a while is told of as well.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import takewhile

from rich.console import Console, Group, RenderableType
from rich.constrain import Constrain
from rich.live import Live
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from mousai_kit.core.rank import Rank

WORD_AFTER, LASTS = 2.0, 1.0
"""Where the output is no terminal: seconds without a word after which what goes on is told of, and
seconds for which it has to have gone on."""
QUIET_EVERY = 15.0
"""Seconds between further progress lines there."""
REDRAWN_EVERY = 0.5
"""Seconds between two drawings of a board, at least."""
SHARE, SELDOM = 0.005, 2.0
"""Share of the time that drawing a board may take, unless seconds without a drawing were more."""
BEAT = 0.5
"""Seconds from one look to the next at whether it is time for a word."""


class Screen:
    """Where a command talks: standard error, so that `--json` keeps standard output clean.

    A quiet one says nothing; of several processes that work together, only the first talks.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(
            stderr=True, highlight=False, soft_wrap=True, quiet=quiet or not Rank.here().main
        )
        self._board: LiveDisplay | None = None
        self.said = time.monotonic()
        """When a line was said last."""
        self.going_on: list[LineWriter] = []
        """What goes on where there is no terminal, each within the one before."""

    @property
    def is_interactive(self) -> bool:
        """Return whether there is a terminal, on which a place can be drawn again."""
        return self._console.is_terminal and not self._console.quiet

    @property
    def quiet(self) -> bool:
        """Return whether nothing is said at all."""
        return self._console.quiet

    def print(self, line: str) -> None:
        """Print a line. Where it can't be written, as on a full disk, work goes on without."""
        self.said = time.monotonic()
        with suppress(OSError):
            self._console.print(escape(line))

    @contextmanager
    def doing(self) -> Iterator[Callable[[str], None]]:
        """Show what is being done: on a terminal in one line, gone afterwards, else line by line.

        What it yields is told each time that something else is begun.
        """
        if not self.is_interactive:
            yield self.print
            return
        with self._console.status("") as status:
            yield lambda line: status.update(escape(line))

    @contextmanager
    def bar(self, label: str, total: float | None, *, stays: bool = True) -> Iterator[ProgressBar]:
        """Show a progress bar of `total` units while the context lasts, below a board if any.

        0 or None is work of which nothing is counted. A bar that does not stay is gone afterwards.
        """
        if self.is_interactive:
            progress = self._progress(counted=bool(total))
            with self.board(progress, stays=stays) as board:
                yield ProgressBar(label, total, self, progress, board)
        else:
            bar = ProgressBar(label, total, self)
            with bar.lines.going_on():
                yield bar

    @contextmanager
    def busy(self, label: str, *, drawn: bool = True) -> Iterator[None]:
        """Say what is being done, where it lasts, and of which nothing can be counted.

        What may write to the terminal itself, as a download does, is told in lines, not drawn.
        """
        lines = ProgressBar(label, None, self).lines
        with self.bar(label, None, stays=False) if drawn else lines.going_on():
            yield

    @contextmanager
    def board(self, shown: RenderableType, *, stays: bool = True) -> Iterator[LiveDisplay]:
        """Keep something at the bottom of the terminal, below all lines, while the context lasts.

        What is there already stays above it. What is drawn last stays there, if it is to. Nothing
        is drawn where there is no terminal.
        """
        if self._board is not None:
            with self._board.joined_by(shown):
                yield self._board
            return
        board = LiveDisplay(self._console, shown, stays=stays)
        if not self.is_interactive:
            yield board
            return
        with board.live:
            self._console.show_cursor()  # whoever is killed leaves the terminal as it was
            self._board = board
            try:
                with _repeat(board.refresh):
                    yield board
            finally:
                self._board = None

    def _progress(self, *, counted: bool) -> Progress:
        """Return what a bar is drawn by."""
        columns: list[ProgressColumn | str] = [SpinnerColumn("line"), TimeElapsedColumn()]
        if counted:
            columns = [BarColumn(bar_width=None), MofNCompleteColumn(), TimeElapsedColumn()]
            columns += ["left", TimeRemainingColumn(), "{task.fields[note]}"]
        return Progress("{task.description}", *columns, console=self._console)


@contextmanager
def _repeat(beat: Callable[[], None]) -> Iterator[None]:
    """Call a function twice a second, in a thread of its own, while the context lasts."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(BEAT):
            beat()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class LineWriter:
    """What there is to say, now and then, of work that goes on where there is no terminal.

    The first line comes where nothing at all was said for two seconds and the work has lasted for
    one, the others after a quarter of a minute each. Work within it that lasts speaks for it.
    """

    def __init__(self, screen: Screen, line: Callable[[], str]) -> None:
        self._screen, self._line = screen, line
        self._started, self._said = time.monotonic(), -math.inf
        self._one = threading.Lock()

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Let a thread look whether it is time while the context lasts."""
        if self._screen.quiet:
            yield
            return
        self._screen.going_on.append(self)
        try:
            with _repeat(self.look):
                yield
        finally:
            self._screen.going_on.remove(self)

    def look(self) -> None:
        """Say how it stands, if it is time to."""
        with self._one:
            if self._due and not self._spoken_for:
                self._screen.print(self._line())
                self._said = time.monotonic()

    @property
    def _due(self) -> bool:
        now = time.monotonic()
        if self._said >= self._started:
            return now - self._said >= QUIET_EVERY
        return now - self._screen.said >= WORD_AFTER and self._lasts

    @property
    def _lasts(self) -> bool:
        return time.monotonic() - self._started >= LASTS

    @property
    def _spoken_for(self) -> bool:
        """Return whether work within this one lasts by itself."""
        within = reversed(self._screen.going_on)
        return any(inner._lasts for inner in takewhile(lambda inner: inner is not self, within))


class LiveDisplay:
    """What is kept at the bottom of the terminal. It is drawn again when it is asked to be, but
    seldom enough to cost next to nothing.
    """

    def __init__(self, console: Console, shown: RenderableType, *, stays: bool = True) -> None:
        self._parts = [shown]
        self._next = 0.0
        self._console = console
        self.live = Live(
            console=console, get_renderable=self._draw, auto_refresh=False, transient=not stays
        )

    def refresh(self, *, at_once: bool = False) -> None:
        """Draw it again, if it is time to."""
        before = time.monotonic()
        if self.live.is_started and (at_once or before >= self._next):
            with suppress(OSError):
                self.live.refresh()
            now = time.monotonic()
            self._next = now + max(REDRAWN_EVERY, min((now - before) / SHARE, SELDOM))

    @contextmanager
    def joined_by(self, part: RenderableType) -> Iterator[None]:
        """Show a part below the others while the context lasts."""
        self._parts.append(part)
        try:
            yield
        finally:
            self._parts.remove(part)
            self.refresh(at_once=True)

    def _draw(self) -> Constrain:
        """Return all parts, in lines that leave room for the ^C of a terminal that echoes it."""
        return Constrain(Group(*self._parts), self._console.width - 3)


class ProgressBar:
    """A progress bar; without a terminal, a line now and then."""

    def __init__(
        self,
        label: str,
        total: float | None,
        screen: Screen,
        progress: Progress | None = None,
        board: LiveDisplay | None = None,
    ) -> None:
        self.label, self.total, self.done, self.note = label, total or None, 0.0, ""
        self._progress, self._board = progress, board
        self._started = time.monotonic()
        self.lines = LineWriter(screen, self._line)
        self._task = (
            progress.add_task(escape(label), total=self.total, note="") if progress else None
        )

    def advance(self, units: float = 1.0, note: str = "") -> None:
        """Go on by some units."""
        self.to(self.done + units, note)

    def to(self, done: float, note: str = "") -> None:
        """Stand at `done` of `total`."""
        self.done, self.note = done, note
        if self._progress is None or self._board is None or self._task is None:
            self.lines.look()
            return
        self._progress.update(self._task, completed=done, note=escape(note))
        self._board.refresh()

    def _line(self) -> str:
        passed = time.monotonic() - self._started
        if self.total is None:
            return f"{self.label}: {_clock(passed)} so far"
        told = f"{self.label}: {self.done:.0f}/{self.total:.0f}"
        if self.done:
            left = passed * max(0.0, self.total - self.done) / self.done
            told += f", about {_clock(left)} left"
        return f"{told}  {self.note}".rstrip()


def _clock(seconds: float) -> str:
    """Return a time as 0:03:21."""
    return str(timedelta(seconds=round(seconds)))
