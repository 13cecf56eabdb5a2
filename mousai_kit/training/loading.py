"""Loading: clips in a fixed random order, decoded by workers, bad ones passed over."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from mousai_kit.data import Clips
from mousai_kit.errors import AudioError, TrainingError
from mousai_kit.interfaces import Clip
from mousai_kit.seeds import derive

TRIES = 10
"""Clips tried in place of a bad one before training gives up."""
RESTARTS, LATELY = 3, 1000
"""Workers are started again so often in so many steps, and not once more."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Clips of one step: `signal` [b, c, t], their texts and sources, and files passed over."""

    signal: Tensor
    texts: list[str]
    sources: list[str]
    bad: list[str]

    def pin_memory(self) -> Batch:
        """Return the same with its signal in pinned memory; the loader asks for it."""
        return replace(self, signal=self.signal.pin_memory())


def batches(
    clips: Clips,
    *,
    seed: int,
    batch: int,
    first: int,
    steps: int,
    workers: int,
    patience: float = 1800,
    pinned: bool = False,
    warn: Callable[[str], None] = lambda line: None,
) -> Generator[Batch]:
    """Yield the batches of steps `first` .. `steps` - 1, the same whichever step is the first.

    Every clip comes once an epoch, in an order drawn from the seed. Epochs follow each other
    without a gap, so that a batch may be larger than the data. `pinned` ones lie in memory that a
    GPU fetches from by itself. Where a worker dies, or none brings anything for `patience` seconds,
    all are started anew where they were, and `warn` is told; TrainingError where that is no help.
    """
    step, failures = first, list[int]()
    while step < steps:
        loader = DataLoader(
            _Drawn(clips, seed),
            batch_size=batch,
            sampler=range(step * batch, steps * batch),
            num_workers=workers,
            collate_fn=_collated,
            worker_init_fn=_quiet,
            prefetch_factor=4 if workers else None,
            pin_memory=pinned,
            timeout=patience if workers else 0,
        )
        try:
            for drawn in _drawn(loader):
                yield drawn
                step += 1
        except _FailedError as failure:
            failures = [*(it for it in failures if it > step - LATELY), step]
            if len(failures) > RESTARTS:
                raise TrainingError(failure.told) from None
            warn(f"{failure.told}; all are started again")


class _FailedError(Exception):
    """The workers brought no batch; `told` says why."""

    def __init__(self, told: str) -> None:
        super().__init__(told)
        self.told = told


def _drawn(loader: DataLoader[Any]) -> Iterator[Batch]:
    """Yield a loader's batches; _FailedError where a worker died or all were too slow."""
    try:
        found = iter(loader)
        with _deaths_told_while_waiting() as waiting:
            while True:
                with waiting():
                    drawn = next(found, None)
                if isinstance(drawn, str):
                    raise TrainingError(drawn)
                if drawn is None:
                    return
                yield drawn
    except RuntimeError as error:
        for worker in getattr(found, "_workers", ()):
            worker.kill()
        raise _told(error) from None


def _told(error: RuntimeError) -> RuntimeError | _FailedError:
    """Return a loader's error as ours, where the fault is a worker's and not the code's in it."""
    text = str(error)
    if text.startswith(("DataLoader worker (pid", "Pin memory thread exited")):
        return _FailedError(
            "a process that reads audio was ended by the system, which is mostly for want of "
            "(shared) memory; lower `workers`, 0 needs none"
        )
    if text.startswith("DataLoader timed out"):
        return _FailedError(
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


class _Drawn(TorchDataset[tuple[Clip | None, list[str]]]):
    """Clips by their position in the endless random order of all epochs."""

    def __init__(self, clips: Clips, seed: int) -> None:
        self.clips, self.seed = clips, seed

    def __getitem__(self, position: int) -> tuple[Clip | None, list[str]]:
        """Return the clip, or the next one that can be read, with what was wrong on the way."""
        count = len(self.clips)
        bad: list[str] = []
        epoch, place = divmod(position, count)
        for shift in range(min(TRIES, count)):
            index = int(_order(count, derive(self.seed, "order", epoch))[(place + shift) % count])
            try:
                return self.clips.clip(index, epoch), bad
            except AudioError as error:
                bad.append(str(error))
        return None, bad


@lru_cache(maxsize=4)
def _order(count: int, seed: int) -> Tensor:
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))


def _collated(drawn: list[tuple[Clip | None, list[str]]]) -> Batch | str:
    """Return a batch, or one line where a run of files was bad; errors don't pass workers well."""
    bad = [line for _, lines in drawn for line in lines]
    clips = [clip for clip, _ in drawn if clip is not None]
    if failed := [lines for clip, lines in drawn if clip is None]:
        return f"no readable music in {len(failed[0])} clips in a row; the last: {failed[0][-1]}"
    signal = torch.stack([clip.wave for clip in clips])
    return Batch(signal, [clip.text for clip in clips], [clip.source for clip in clips], bad)


def _quiet(worker: int) -> None:
    """Leave Ctrl-C and warnings to the main process, which ends its workers itself."""
    for number in (signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
