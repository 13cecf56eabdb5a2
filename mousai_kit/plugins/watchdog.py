"""A watchdog: ends what hangs while a plug-in loads, or at least tells who is to blame."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType

from mousai_kit.errors import PluginError, Problem

PATIENCE = 10.0
"""Seconds without a new module after which a plug-in that loads counts as hanging."""
VARIABLE = "MOUSAI_KIT_PATIENCE"
"""The variable of the environment that sets other seconds."""
LOOKS = 20
"""How often the watchdog looks within that time."""


class Hung(BaseException):
    """Ends what hangs; no `Exception`, which a plug-in might catch in order to try again."""


def patience() -> float:
    """Return how many seconds a plug-in may hang."""
    given = os.environ.get(VARIABLE, "")
    try:
        seconds = float(given) if given else PATIENCE
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < threading.TIMEOUT_MAX:
        raise PluginError(Problem(VARIABLE, "", f"must be a number of seconds (got '{given}')"))
    return seconds


@contextmanager
def watched(owner: str, seconds: float) -> Iterator[None]:
    """Raise Hung in what runs inside, once it has imported no module for so many seconds.

    A slow import of much goes on. A line on standard error tells whose plug-in hangs, also where
    nothing can be raised: outside the main thread, without POSIX signals, in compiled code that
    does not return.
    """
    ended = Event()

    def stop(signum: int, frame: FrameType | None) -> None:
        if not ended.is_set():
            raise Hung

    main = threading.current_thread() is threading.main_thread()
    can_stop = main and hasattr(signal, "pthread_kill")
    previous = signal.signal(signal.SIGALRM, stop) if can_stop else None
    watch = threading.Thread(target=_watch, args=(owner, seconds, ended, can_stop), daemon=True)
    try:
        try:
            watch.start()
            yield
        finally:
            ended.set()
    finally:
        ended.set()  # again, as Hung may have come before it
        watch.join()
        if can_stop:
            signal.signal(signal.SIGALRM, signal.SIG_DFL if previous is None else previous)


def _watch(owner: str, seconds: float, ended: Event, can_stop: bool) -> None:
    """Look now and then whether modules still come; when none do, complain, and stop it."""
    known, still, complained = len(sys.modules), 0, False
    while not ended.wait(seconds / LOOKS):
        known, before = len(sys.modules), known
        still = still + 1 if known == before else 0
        if still < LOOKS:
            continue
        if not complained:
            complained = True
            print(_complaint(owner, seconds), file=sys.__stderr__ or sys.stderr, flush=True)
        if can_stop:
            main = threading.main_thread().ident
            assert main is not None
            signal.pthread_kill(main, signal.SIGALRM)


def _complaint(owner: str, seconds: float) -> str:
    name = owner.rpartition("(")[2].rstrip(")")
    return (
        f"{owner}: has hung for {seconds:g} s while it is loaded; MOUSAI_KIT_WITHOUT={name} does "
        "without it"
    )
