"""Loading: clips in a fixed random order, decoded by workers, bad ones passed over.

Readers: worker processes for audio, which may die or hang, and are told on in good time.
"""

from __future__ import annotations

import signal
import sys
import threading
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torch.utils.data._utils import signal_handling

from mousai_kit.core.errors import AudioError, TrainingError
from mousai_kit.core.interfaces import Clip, ExtrasExtractor
from mousai_kit.core.seeds import derive_seed
from mousai_kit.data.datasets import ClipSource, with_extras

T = TypeVar("T")
U = TypeVar("U")
AHEAD = 2
"""Items that each worker is ahead: a crop of the paper's takes 16 MiB."""


class WorkerError(Exception):
    """The workers brought no batch; the message says why."""


@contextmanager
def as_many_as_asked() -> Iterator[None]:
    """Make workers without torch's warning where they are more than cores: a recipe says so."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This DataLoader will create")
        yield


def in_order(
    work: Callable[[T], U], items: Iterable[T], *, workers: int
) -> Generator[U, None, None]:
    """Yield what `work` makes of each item, never None, in their order, by so many processes.

    0 does it in this one. TrainingError where a worker dies.
    """
    with as_many_as_asked():
        loader: DataLoader[U] = DataLoader(
            _Work(work),
            batch_size=None,
            sampler=items,
            num_workers=workers,
            collate_fn=_as_it_is,
            worker_init_fn=ignore_signals_in_worker,
            prefetch_factor=AHEAD if workers else None,
            generator=torch.Generator(),  # else the loader draws from the process's own
        )
    try:
        yield from iter_batches(loader)
    except WorkerError as failure:
        raise TrainingError(str(failure)) from None


class _Work(Dataset[U], Generic[T, U]):
    """A dataset by items of any kind."""

    def __init__(self, work: Callable[[T], U]) -> None:
        self.work = work

    def __getitem__(self, item: T) -> U:
        return self.work(item)


def _as_it_is(found: Any) -> Any:
    return found


def iter_batches(loader: DataLoader[Any]) -> Iterator[Any]:
    """Yield a loader's batches; WorkerError where a worker died or all were too slow."""
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
            raise _as_ours(error) from None
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


def _as_ours(error: Exception) -> Exception:
    """Return a loader's error as ours, where the fault is a worker's and not the code's in it.

    What a dead worker was about to hand over is a broken connection.
    """
    text, broken = str(error), isinstance(error, ConnectionError | EOFError)
    if broken or text.startswith(("DataLoader worker (pid", "Pin memory thread exited")):
        return WorkerError(
            "a process that reads audio was ended by the system, which is mostly for want of "
            "(shared) memory; lower `workers`, 0 needs none"
        )
    if text.startswith("DataLoader timed out"):
        return WorkerError(
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


def ignore_signals_in_worker(worker: int) -> None:
    """Leave Ctrl-C and warnings to the main process, which ends its workers itself.

    So is the screen left to it: a lock that was held while this process was forked off stays held.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        setattr(sys, name, getattr(stream, "rich_proxied_file", stream))
    for number in (signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


TRIES = 10
"""Clips tried in place of a bad one before training gives up."""
RESTARTS, LATELY = 3, 1000
"""Workers are started again so often in so many steps, and not once more."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Clips of one step: `signal` [b, c, t], their texts and sources, and files passed over.

    `extras` [b, ...] by name are what some of them tell besides, NaN for a clip that does not.
    """

    signal: Tensor
    texts: list[str]
    sources: list[str]
    bad: list[str]
    extras: Mapping[str, Tensor] = field(default_factory=dict)

    def pin_memory(self) -> Batch:
        """Return the same with its tensors in pinned memory; the loader asks for it."""
        extras = {name: data.pin_memory() for name, data in self.extras.items()}
        return replace(self, signal=self.signal.pin_memory(), extras=extras)


def batches(
    clips: ClipSource,
    *,
    seed: int,
    batch: int,
    first: int,
    steps: int,
    workers: int,
    patience: float = 1800,
    pinned: bool = False,
    part: range | None = None,
    extract: ExtrasExtractor | None = None,
    warn: Callable[[str], None] = lambda line: None,
) -> Generator[Batch]:
    """Yield the batches of steps `first` .. `steps` - 1, the same whichever step is the first.

    Every clip comes once an epoch, in an order drawn from the seed. Epochs follow each other
    without a gap, so that a batch may be larger than the data. `pinned` ones lie in memory that a
    GPU fetches from by itself. Of a batch's places only those in `part` are read, with the extras
    that `extract` tells of each clip. Where a worker dies, or none brings anything for `patience`
    seconds, all are started anew where they were, and `warn` is told; TrainingError where that is
    no help.
    """
    places = range(batch) if part is None else part
    step, failures = first, list[int]()
    while step < steps:
        positions = ([at * batch + place for place in places] for at in range(step, steps))
        loader = _loader(_ShuffledClips(clips, seed, extract), positions, workers, patience, pinned)
        try:
            for drawn in iter_batches(loader):
                if isinstance(drawn, str):
                    raise TrainingError(drawn)
                yield drawn
                step += 1
        except WorkerError as failure:
            failures = [*(item for item in failures if item > step - LATELY), step]
            if len(failures) > RESTARTS:
                raise TrainingError(str(failure)) from None
            warn(f"{failure}; all are started again")


def _loader(
    drawn: _ShuffledClips,
    positions: Iterator[list[int]],
    workers: int,
    patience: float,
    pinned: bool,
) -> DataLoader[Batch | str]:
    """Return what decodes the clips at each batch's positions, in so many processes."""
    with as_many_as_asked():
        return DataLoader(
            drawn,  # type: ignore[arg-type]  # of clips, which `_collate` makes into batches
            batch_sampler=positions,
            num_workers=workers,
            collate_fn=_collate,
            worker_init_fn=ignore_signals_in_worker,
            prefetch_factor=4 if workers else None,
            pin_memory=pinned,
            timeout=patience if workers else 0,
        )


class _ShuffledClips(Dataset[tuple[Clip | None, list[str]]]):
    """Clips by their position in the endless random order of all epochs."""

    def __init__(
        self, clips: ClipSource, seed: int, extract: ExtrasExtractor | None = None
    ) -> None:
        self.clips, self.seed, self.extract = clips, seed, extract

    def __getitem__(self, position: int) -> tuple[Clip | None, list[str]]:
        """Return the clip, or the next one that can be read, with what was wrong on the way."""
        count = len(self.clips)
        bad: list[str] = []
        epoch, place = divmod(position, count)
        for shift in range(min(TRIES, count)):
            index = _index(count, self.seed, epoch, (place + shift) % count)
            try:
                return with_extras(self.clips.clip(index, epoch), self.extract), bad
            except AudioError as error:
                bad.append(str(error))
        return None, bad


def draw(count: int, *, seed: int, positions: Iterable[int]) -> Iterator[int]:
    """Yield the indices of clips at some positions in the endless random order of all epochs."""
    for position in positions:
        epoch, place = divmod(position, count)
        yield _index(count, seed, epoch, place)


def _index(count: int, seed: int, epoch: int, place: int) -> int:
    """Return which clip comes at a place of an epoch."""
    return int(_order(count, derive_seed(seed, "order", epoch))[place])


@lru_cache(maxsize=4)
def _order(count: int, seed: int) -> Tensor:
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))


def _collate(drawn: list[tuple[Clip | None, list[str]]]) -> Batch | str:
    """Return a batch, or one line where a run of files was bad; errors don't pass workers well."""
    bad = [line for _, lines in drawn for line in lines]
    clips = [clip for clip, _ in drawn if clip is not None]
    if failed := [lines for clip, lines in drawn if clip is None]:
        return f"no readable music in {len(failed[0])} clips in a row; the last: {failed[0][-1]}"
    signal = torch.stack([clip.wave for clip in clips])
    texts, sources = [clip.text for clip in clips], [clip.source for clip in clips]
    return Batch(signal, texts, sources, bad, collate_extras(clips))


def collate_extras(clips: Sequence[Clip]) -> dict[str, Tensor]:
    """Return the extras [b, ...] of clips by name, NaN for each that does not tell one.

    TrainingError where a name's data are of several shapes.
    """
    names = sorted({name for clip in clips for name in clip.extras})
    return {name: _stack_told(name, [clip.extras.get(name) for clip in clips]) for name in names}


def _stack_told(name: str, data: Sequence[Tensor | None]) -> Tensor:
    shapes = {tuple(item.shape) for item in data if item is not None}
    if len(shapes) > 1:
        told = f"clips of one length have data of shapes {sorted(shapes)}; they must be alike"
        raise TrainingError(f"'{name}': {told}")
    (shape,) = shapes
    untold = torch.full(shape, torch.nan)
    return torch.stack([untold if item is None else item for item in data])
