"""Loading: clips in a fixed random order, decoded by workers, bad ones passed over."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from mousai_kit.data import Clips
from mousai_kit.errors import AudioError, TrainingError
from mousai_kit.interfaces import Clip
from mousai_kit.seeds import derive
from mousai_kit.training.readers import ReadersError, as_many_as_asked, brought, leave_signals

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
    part: range | None = None,
    warn: Callable[[str], None] = lambda line: None,
) -> Generator[Batch]:
    """Yield the batches of steps `first` .. `steps` - 1, the same whichever step is the first.

    Every clip comes once an epoch, in an order drawn from the seed. Epochs follow each other
    without a gap, so that a batch may be larger than the data. `pinned` ones lie in memory that a
    GPU fetches from by itself. Of a batch's places only those in `part` are read. Where a worker
    dies, or none brings anything for `patience` seconds, all are started anew where they were, and
    `warn` is told; TrainingError where that is no help.
    """
    places = range(batch) if part is None else part
    step, failures = first, list[int]()
    while step < steps:
        positions = _Positions(step, steps, batch, places)
        loader = _loader(_Drawn(clips, seed), positions, workers, patience, pinned)
        try:
            for drawn in brought(loader):
                if isinstance(drawn, str):
                    raise TrainingError(drawn)
                yield drawn
                step += 1
        except ReadersError as failure:
            failures = [*(it for it in failures if it > step - LATELY), step]
            if len(failures) > RESTARTS:
                raise TrainingError(failure.told) from None
            warn(f"{failure.told}; all are started again")


def _loader(
    drawn: _Drawn, positions: _Positions, workers: int, patience: float, pinned: bool
) -> DataLoader[Batch | str]:
    """Return what decodes the clips of each batch in so many processes."""
    with as_many_as_asked():
        return DataLoader(
            drawn,  # type: ignore[arg-type]  # of clips, which `_collated` makes into batches
            batch_sampler=positions,
            num_workers=workers,
            collate_fn=_collated,
            worker_init_fn=leave_signals,
            prefetch_factor=4 if workers else None,
            pin_memory=pinned,
            timeout=patience if workers else 0,
        )


@dataclass(frozen=True, slots=True)
class _Positions:
    """The positions of the clips of each step, of which a batch each takes `places`."""

    first: int
    steps: int
    batch: int
    places: range

    def __len__(self) -> int:
        return self.steps - self.first

    def __iter__(self) -> Iterator[list[int]]:
        for step in range(self.first, self.steps):
            yield [step * self.batch + place for place in self.places]


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
