"""Jobs: work on the one device of a studio, in turn, with its progress, and an end where asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from mousai_kit.core.console import ProgressBar, Screen


class JobCancelledError(Exception):
    """Whoever asked for a job does not want it any more."""


class Job:
    """Something that is being made, as seen from other threads."""

    def __init__(self) -> None:
        self.label, self.done, self.total = "waiting for the device", 0.0, 0.0
        self.notes: list[str] = []
        """What was said meanwhile."""
        self._began = time.monotonic()
        self._cancelled = threading.Event()
        self.future: Future[Any] = Future()

    def cancel(self) -> None:
        """Let it end: at once where it waits, else after the evaluation that goes on."""
        self._cancelled.set()
        self.future.cancel()

    def check(self) -> None:
        """Raise JobCancelledError where it was cancelled."""
        if self._cancelled.is_set():
            raise JobCancelledError

    def begin(self, label: str, total: float = 0.0) -> None:
        """Say what is done now, of how many units; 0: none can be counted."""
        self.check()
        self.label, self.total, self.done = label, total, 0.0
        self._began = time.monotonic()

    def advance(self, done: float) -> None:
        """Stand at `done` units."""
        self.check()
        self.done = done

    @property
    def seconds_left(self) -> float | None:
        """Return about how long what goes on will last; None where that can't be told yet."""
        if not (self.done and self.total):
            return None
        passed = time.monotonic() - self._began
        return passed * max(0.0, self.total - self.done) / self.done

    @property
    def is_done(self) -> bool:
        """Return whether there is a result, or an error."""
        return self.future.done()


class DeviceThread:
    """The thread that alone computes: jobs come one after the other, in the order they came."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="device")
        self._jobs: list[Job] = []
        self._lock = threading.Lock()

    def submit(self, job: Job, work: Callable[[], Any]) -> None:
        """Do some work when its turn comes; `job.future` has its result."""

        def run() -> Any:
            job.check()
            return work()

        with self._lock:
            self._jobs = [one for one in self._jobs if not one.is_done]
            job.future = self._pool.submit(run)
            self._jobs.append(job)

    def close(self) -> None:
        """End: the job that goes on after its evaluation, those that wait never begin."""
        with self._lock:
            for job in self._jobs:
                job.cancel()
        self._pool.shutdown(cancel_futures=True)


class JobScreen(Screen):
    """A screen that tells a job what goes on, instead of a terminal."""

    def __init__(self, job: Job) -> None:
        super().__init__(quiet=True)
        self.job = job

    def print(self, line: str) -> None:
        """Note a line."""
        self.job.notes.append(line)

    @contextmanager
    def bar(self, label: str, total: float | None, *, stays: bool = True) -> Iterator[ProgressBar]:
        """Tell the job of some work while the context lasts."""
        self.job.begin(label, total or 0.0)
        yield JobBar(label, total, self)

    @contextmanager
    def busy(self, label: str, *, drawn: bool = True) -> Iterator[None]:
        """Tell the job of work of which nothing can be counted."""
        self.job.begin(label)
        yield


class JobBar(ProgressBar):
    """A progress bar that a job is told of."""

    def __init__(self, label: str, total: float | None, screen: JobScreen) -> None:
        super().__init__(label, total, screen)
        self._job = screen.job

    def to(self, done: float, note: str = "") -> None:
        """Stand at `done` of `total`."""
        self.done = done
        self._job.advance(done)
