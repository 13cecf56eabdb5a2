"""Crops: decoded in the order in which they are asked for, by workers, while others are encoded."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

import torch
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from mousai_kit.data import Clips
from mousai_kit.errors import AudioError, TrainingError
from mousai_kit.interfaces import Clip
from mousai_kit.latents.layout import Place
from mousai_kit.training.readers import ReadersError, as_many_as_asked, brought, leave_signals

AHEAD = 2
"""Crops that each worker decodes ahead: one of the paper's takes 16 MiB."""


def decoded(
    clips: Clips, places: Iterable[Place], *, workers: int
) -> Generator[Clip | str, None, None]:
    """Yield the crop at each place, or one line that says why there is none.

    TrainingError where a worker dies.
    """
    with as_many_as_asked():
        loader: DataLoader[Clip | str] = DataLoader(
            _Crops(clips),
            batch_size=None,
            sampler=places,  # any iterable of what `_Crops` takes
            num_workers=workers,
            collate_fn=_as_it_is,
            worker_init_fn=leave_signals,
            prefetch_factor=AHEAD if workers else None,
            generator=torch.Generator(),  # else the loader draws from the process's own
        )
    try:
        yield from brought(loader)
    except ReadersError as failure:
        raise TrainingError(failure.told) from None


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
