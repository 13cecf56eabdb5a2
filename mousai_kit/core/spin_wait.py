"""Spin-wait: how torch's threads wait for each other, asleep while others have the cores.

The threads of a computation wait for the slowest at the end of each of its parts. They spin, which
is quickest on a quiet machine; where another program has a core they keep the very thread that they
wait for from the other ones, and a step takes many times as long. GNU's OpenMP, which torch has on
Linux, lets threads sleep almost at once while there are more of them than cores (its manual, of
GOMP_SPINCOUNT): so idle ones are added for as long as there is contention. No result depends on it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

THREADS = Path("/proc/self/task")
"""Where Linux tells of each thread of this process, also for how long it waited for a core."""
BEAT = 0.25
"""Seconds from one look at that to the next."""
CONTENDED = 0.2
"""Threads, on average, that wait for a core where there is contention."""
CALM = 0.05
"""Threads that wait at most where it is over."""
CALM_FOR = 20
"""Looks in a row at which that has to be so."""
MOST_TEAMS = 8
"""Idle teams at most: where it would take more, there are cores enough."""
_IN_PARALLEL = 2**17
"""Numbers that torch adds up with all its threads."""


@contextmanager
def sleep_if_contended() -> Iterator[None]:
    """Let torch's threads sleep where they wait, while the context lasts and others have cores.

    Only where Linux tells of waiting threads and torch has several.
    """
    if not THREADS.is_dir() or torch.get_num_threads() < 2:
        yield
        return
    with _lock:
        _users.append(_users[0] if _users else Watch())
    try:
        yield
    finally:
        with _lock:
            watch = _users.pop()
            if not _users:
                watch.end()


class Watch:
    """A thread that looks whether others of this process wait for a core, and acts on it."""

    def __init__(self) -> None:
        self.teams: list[IdleTeam] = []
        """Those that are there because of contention."""
        self._over = threading.Event()
        self._calm = 0
        self._thread = threading.Thread(target=self._look, name="contention", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()

    def judge(self, waiting: float) -> None:
        """Add idle teams, or let go of them, as so many threads wait for a core."""
        self._calm = self._calm + 1 if waiting <= CALM else 0
        if waiting >= CONTENDED and not self.teams:
            self.teams = [IdleTeam() for _ in range(teams_needed())]
        elif self._calm >= CALM_FOR:
            self.let_go()

    def let_go(self) -> None:
        """End the idle teams."""
        while self.teams:
            self.teams.pop().end()

    def _look(self) -> None:
        at, waited = time.monotonic(), seconds_waited()
        while not self._over.wait(BEAT):
            before, at = at, time.monotonic()
            known, waited = waited, seconds_waited()
            if known is not None and waited is not None:
                self.judge((waited - known) / (at - before))
        self.let_go()


class IdleTeam:
    """Threads of OpenMP that do nothing, but are counted."""

    def __init__(self) -> None:
        there, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._idle, args=(there,), name="idle", daemon=True)
        self._thread.start()
        there.wait()

    def end(self) -> None:
        """End the threads."""
        self._over.set()
        self._thread.join()

    def _idle(self, there: threading.Event) -> None:
        try:
            torch.ones(_IN_PARALLEL, device="cpu").sum()  # each thread that computes has a team
        finally:
            there.set()
        self._over.wait()


def teams_needed() -> int:
    """Return how many idle teams make more threads than cores; 0 for too many."""
    threads, cores = torch.get_num_threads(), len(usable_cores())
    if threads < 2:
        return 0
    needed = 1 + max(0, cores - threads) // (threads - 1)
    return needed if needed <= MOST_TEAMS else 0


def usable_cores() -> list[int]:
    """Return the cores that this process may use, by their numbers."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def seconds_waited() -> float | None:
    """Return for how many seconds the threads of this process waited for a core; None if unknown.

    Those of threads that have ended are not in it.
    """
    waited: list[float] = []
    for thread in THREADS.glob("*/schedstat"):
        with suppress(OSError, ValueError, IndexError):  # a thread that has just ended
            waited.append(int(thread.read_text().split()[1]) / 1e9)
    return sum(waited) if waited else None


_lock = threading.Lock()
_users: list[Watch] = []
"""The one watch of this process, once for each context that lasts."""
