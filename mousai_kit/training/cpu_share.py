"""Processor: how much of it this process gets, how long it waits for it, what others take of it."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass

import torch

from mousai_kit.core.spin_wait import seconds_waited, usable_cores
from mousai_kit.distributed import Rank


@dataclass(frozen=True, slots=True)
class Reading:
    """Seconds that were counted by now, each from a beginning of its own."""

    at: float
    """Of the clock."""
    got: float
    """Of all cores, that went to this process."""
    waited: float | None
    """In which its threads could have gone on and had no core; None where nobody tells."""
    own: float
    """Of all cores, that went to this process and to those that work for it or together with it."""
    busy: float
    """Of the cores that this process may use, that went to whatever process."""


@dataclass(frozen=True, slots=True)
class CpuUse:
    """How the processor was used for a while, in cores."""

    cores: int
    """Cores that this process may use."""
    got: float
    """Of them, those that it had."""
    asked: float
    """Those that it could have used."""
    others: float
    """Those that other programs had."""

    @classmethod
    def between(cls, before: Reading, after: Reading) -> CpuUse:
        """Return the use between two readings.

        Where the system does not tell how long threads waited, a process that computes on the CPU
        is taken to ask for a core for each of torch's threads.
        """
        seconds = max(1e-9, after.at - before.at)
        got, own, busy = (
            max(0.0, getattr(after, name) - getattr(before, name)) / seconds
            for name in ("got", "own", "busy")
        )
        cores = len(usable_cores())
        asked = float(min(torch.get_num_threads(), cores))
        if before.waited is not None and after.waited is not None:
            asked = min(cores, got + max(0.0, after.waited - before.waited) / seconds)
        return cls(cores, got, asked, max(0.0, busy - own))

    @property
    def stretch(self) -> float:
        """Return how many times as long work takes as it would with all the cores asked for."""
        return self.asked / max(self.got, 1e-9)


def read_counters() -> Reading:
    """Return what is counted by now."""
    import psutil

    each = psutil.cpu_times(percpu=True)
    busy = sum(sum(each[core]) - _idle(each[core]) for core in usable_cores() if core < len(each))
    return Reading(time.monotonic(), time.process_time(), seconds_waited(), _own(), busy)


def _idle(times: object) -> float:
    """Return how long a core did nothing, or what is counted a second time as a guest's."""
    names = ("idle", "iowait", "guest", "guest_nice")
    return sum(float(getattr(times, name, 0.0)) for name in names)


def _own() -> float:
    """Return the seconds of this process and its children; of several ranks, of all that are here.

    A launcher's children are ranks, which share the processor by agreement.
    """
    import psutil

    first = psutil.Process()
    if not Rank.here().alone:
        first = first.parent() or first
    total = 0.0
    for process in (first, *first.children(recursive=True)):
        with suppress(psutil.Error):  # one that has just ended
            times = process.cpu_times()
            total += times.user + times.system
            total += times.children_user + times.children_system
    return total
