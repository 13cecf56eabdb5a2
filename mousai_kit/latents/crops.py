"""Crops: decoded in the order in which they are asked for, by workers, while others are encoded."""

from __future__ import annotations

import signal
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from mousai_kit.data import Clips
from mousai_kit.errors import AudioError, TrainingError
from mousai_kit.interfaces import Clip
from mousai_kit.latents.layout import Place

AHEAD = 2
"""Crops that each worker decodes ahead: one of the paper's takes 16 MiB."""


def decoded(
    clips: Clips, places: Iterable[Place], *, workers: int
) -> Generator[Clip | str, None, None]:
    """Yield the crop at each place, or one line that says why there is none."""
    loader: DataLoader[Clip | str] = DataLoader(
        _Crops(clips),
        batch_size=None,
        sampler=places,  # any iterable of what `_Crops` takes
        num_workers=workers,
        collate_fn=_as_it_is,
        worker_init_fn=_quiet,
        prefetch_factor=AHEAD if workers else None,
        generator=torch.Generator(),  # else the loader draws from the process's own
    )
    found = iter(loader)
    try:
        yield from found
    finally:  # not when the last traceback goes that knows them: torch tells of them until then
        getattr(found, "_shutdown_workers", _nothing)()


@contextmanager
def ended_workers_told() -> Iterator[None]:
    """Turn the end of a worker into a TrainingError of one line.

    torch tells it at any moment; what a dead one was about to hand over is a broken connection.
    """
    try:
        yield
    except (RuntimeError, ConnectionError, EOFError) as error:
        from_torch = isinstance(error, RuntimeError)
        if from_torch and not str(error).startswith("DataLoader worker (pid"):
            raise
        raise TrainingError(
            "a process that reads audio was ended by the system, which is mostly for want of "
            "(shared) memory; lower `workers`, 0 needs none"
        ) from None


def crop(clips: Clips, place: Place) -> Clip | str:
    """Return the crop at a place, or one line that says why there is none."""
    try:
        return clips.clip(*place)
    except AudioError as error:
        return str(error)


class _Crops(TorchDataset[Clip | str]):
    """A dataset by places."""

    def __init__(self, clips: Clips) -> None:
        self.clips = clips

    def __getitem__(self, place: Place) -> Clip | str:
        return crop(self.clips, place)


def _as_it_is(found: Any) -> Any:
    return found


def _quiet(worker: int) -> None:
    """Leave Ctrl-C to the main process, which ends its workers itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _nothing() -> None:
    """Stand for what a loader without workers has not."""
