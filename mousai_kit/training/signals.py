"""Interruption: Ctrl-C, or a system that wants its machine back, and a good moment to give in."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
"""Ctrl-C; what `kill`, systemd and SLURM end a process with; what SLURM can warn it with."""


def ending(number: int) -> KeyboardInterrupt | SystemExit:
    """Return what a signal is to be raised as: Ctrl-C as ever, others with a shell's exit code."""
    return KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)


class GracefulStop:
    """Whether somebody wants training to end. The second time it does at once.

    Not so where it is `patient`, as one of several processes must be: a launcher repeats to each
    what the terminal tells it, and they have to agree on where to end.
    """

    def __init__(self, *, patient: bool = False) -> None:
        self.asked: int | None = None
        self._patient = patient
        self._waiting = False

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Let a signal end a wait at once, one that came before too; not where it is patient.

        Where it is patient, whoever waits sees to the end.
        """
        try:
            self._waiting = True
            if not self._patient:
                self.check()
            yield
        finally:
            self._waiting = False

    def check(self) -> None:
        """Raise what was held back where somebody wants an end."""
        if self.asked is not None:
            raise ending(self.asked)

    def ask(self) -> None:
        """Want an end, as if by Ctrl-C, where nobody has asked for one: another process was."""
        self.asked = self.asked or signal.SIGINT

    def note(self, number: int, frame: Any) -> None:
        """Hear a signal."""
        again, self.asked = self.asked is not None, number
        if (again or self._waiting) and not self._patient:
            raise ending(number)


@contextmanager
def defer_signals(*, patient: bool = False) -> Iterator[GracefulStop]:
    """Let the first signal only be noted; the second one interrupts at once, see `GracefulStop`."""
    interruption = GracefulStop(patient=patient)
    with _handle_signals(interruption.note):
        yield interruption


def raise_on_signals() -> AbstractContextManager[None]:
    """Let every signal interrupt as Ctrl-C does, so that what is begun is left in order."""

    def interrupt(number: int, frame: Any) -> None:
        raise ending(number)

    return _handle_signals(interrupt)


@contextmanager
def _handle_signals(handler: Any) -> Iterator[None]:
    """Hand signals to a function for a while; in other threads than the first nothing can be."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)
