"""Pieces: what a dataset is made of, one by one: tracks of files, or else clips."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from mousai_kit.audio import shown, tags_of
from mousai_kit.audio.measures import Measures, Measuring, measured
from mousai_kit.errors import AudioError
from mousai_kit.interfaces import Dataset, Split
from mousai_kit.music.licences import licence_of
from mousai_kit.music.tracks import Track, TrackDataset

GROUP = 8
"""Tracks for each thread that are measured before the next: they are kept together."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A track or a clip: what is said of it, and what it is like where that was measured."""

    source: str
    split: Split
    seconds: float
    captioned: bool
    """Whether its collection or its tags say anything of it."""
    licence: str
    """Empty where nothing is said of it."""
    measures: Measures | None = None
    fault: str = ""
    """Why it could not be decoded."""


def pieces(
    dataset: Dataset, split: Split, *, sample_rate: int, quick: bool = False
) -> Iterator[Piece]:
    """Yield a dataset's tracks, or where it has none its clips of the first epoch, in order.

    `sample_rate` is that of its clips, in Hz. Tracks are decoded whole, several at a time, unless
    they were measured before; `quick` decodes nothing of them. What is measured is kept by the
    dataset after each group.
    """
    if not isinstance(dataset, TrackDataset):
        yield from (_clip(dataset, index, split, sample_rate) for index in range(len(dataset)))
        return
    pool, size = ThreadPoolExecutor(threads()), threads() * GROUP
    try:
        for first in range(0, len(dataset.tracks), size):
            tracks = dataset.tracks[first : first + size]
            found = [None] * len(tracks) if quick else _measured(dataset, tracks, pool)
            yield from map(_piece, [dataset] * len(tracks), tracks, [split] * len(tracks), found)
    finally:
        pool.shutdown(cancel_futures=True)


def threads() -> int:
    """Return how many tracks are decoded at a time: one for each core that may be used."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def count(dataset: Dataset) -> int:
    """Return how many pieces a dataset has."""
    return len(dataset.tracks) if isinstance(dataset, TrackDataset) else len(dataset)


def _measured(
    dataset: TrackDataset, tracks: Sequence[Track], pool: ThreadPoolExecutor
) -> list[Measures | str]:
    """Return what tracks are like, or why they can't be decoded; keep what is new."""
    kept = dataset.kept_measures(tracks)
    unknown = [track for track, known in zip(tracks, kept, strict=True) if known is None]
    new = iter(list(pool.map(_measure, unknown)))
    found = [next(new) if known is None else known for known in kept]
    pairs = zip(tracks, found, kept, strict=True)
    dataset.keep_measures(
        [(track, it) for track, it, old in pairs if old is None and isinstance(it, Measures)]
    )
    return found


def _measure(track: Track) -> Measures | str:
    try:
        return measured(track.path)
    except AudioError as error:
        return str(error)


def _piece(
    dataset: TrackDataset, track: Track, split: Split, found: Measures | str | None
) -> Piece:
    licence = licence_of(tags_of(track.path)) if track.licence is None else track.licence
    told: dict[str, Any] = {"fault": found} if isinstance(found, str) else {"measures": found}
    captioned = bool(dataset.told(track))
    return Piece(shown(track.path), split, track.seconds, captioned, licence, **told)


def _clip(dataset: Dataset, index: int, split: Split, sample_rate: int) -> Piece:
    try:
        clip = dataset.clip(index)
    except AudioError as error:
        return Piece(f"clip {index}", split, 0.0, captioned=True, licence="", fault=str(error))
    wave = clip.wave.numpy()
    measuring = Measuring(sample_rate, len(wave))
    measuring.add(wave.T)
    measures = measuring.result()
    source = clip.source or f"clip {index}"
    return Piece(source, split, measures.seconds, bool(clip.text), "", measures)
