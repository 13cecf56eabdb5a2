"""Readers: a loader's worker processes, which may die or hang, and are told on in good time."""

from __future__ import annotations

import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from torch.utils.data import DataLoader
from torch.utils.data._utils import signal_handling


class ReadersError(Exception):
    """The workers brought no batch; `told` says why."""

    def __init__(self, told: str) -> None:
        super().__init__(told)
        self.told = told


@contextmanager
def as_many_as_asked() -> Iterator[None]:
    """Make workers without torch's warning where they are more than cores: a recipe says so."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This DataLoader will create")
        yield


def brought(loader: DataLoader[Any]) -> Iterator[Any]:
    """Yield a loader's batches; ReadersError where a worker died or all were too slow."""
    with as_many_as_asked():
        found = iter(loader)
    with _deaths_told_while_waiting() as waiting:
        try:
            while True:
                with waiting():
                    drawn = next(found, None)
                if drawn is None:
                    return
                yield drawn
        except (RuntimeError, ConnectionError, EOFError) as error:
            raise _told(error) from None
        finally:
            _end(found)


def _end(found: Any) -> None:
    """End a loader's workers at once, without a lock that a dead one may have held for good.

    torch's own way waits for such a lock, and for the workers.
    """
    if not hasattr(found, "_workers") or found._shutdown:
        return
    found._shutdown = True
    if found._worker_pids_set:  # or their end would be told as a fault
        signal_handling._remove_worker_pids(id(found))  # type: ignore[attr-defined]
        found._worker_pids_set = False
    if hasattr(found, "_pin_memory_thread"):
        found._pin_memory_thread_done_event.set()
    for worker in found._workers:
        worker.kill()
    for worker in found._workers:
        worker.join()
    for queue in found._index_queues:
        queue.cancel_join_thread()
        queue.close()


def _told(error: Exception) -> Exception:
    """Return a loader's error as ours, where the fault is a worker's and not the code's in it.

    What a dead worker was about to hand over is a broken connection.
    """
    text, broken = str(error), isinstance(error, ConnectionError | EOFError)
    if broken or text.startswith(("DataLoader worker (pid", "Pin memory thread exited")):
        return ReadersError(
            "a process that reads audio was ended by the system, which is mostly for want of "
            "(shared) memory; lower `workers`, 0 needs none"
        )
    if text.startswith("DataLoader timed out"):
        return ReadersError(
            "the processes that read audio brought nothing for as long as `patience` says; see "
            "whether the music's disk answers"
        )
    return error


@contextmanager
def _deaths_told_while_waiting() -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """Let torch raise where a worker has died only while a batch is waited for.

    Its handler of SIGCHLD raises wherever the main thread is, which may be in the midst of a step.
    """
    known = threading.current_thread() is threading.main_thread()
    theirs = signal.getsignal(signal.SIGCHLD) if known else None
    if not callable(theirs):
        yield nullcontext
        return
    at_rest = False

    def handler(number: int, frame: Any) -> None:
        if at_rest:
            theirs(number, frame)

    @contextmanager
    def waiting() -> Iterator[None]:
        nonlocal at_rest
        at_rest = True
        try:
            theirs(signal.SIGCHLD, None)
            yield
        finally:
            at_rest = False

    signal.signal(signal.SIGCHLD, handler)
    try:
        yield waiting
    finally:
        signal.signal(signal.SIGCHLD, theirs)


def leave_signals(worker: int) -> None:
    """Leave Ctrl-C and warnings to the main process, which ends its workers itself."""
    for number in (signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
