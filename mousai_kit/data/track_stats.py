"""Pieces: what a dataset is made of, one by one: tracks of files, or else clips.

Measuring: the loudness of tracks, found by worker processes before their clips are read.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from mousai_kit.audio.analysis import AudioAnalyzer, AudioStats
from mousai_kit.audio.io import audio_error, display_path
from mousai_kit.audio.tags import read_tags
from mousai_kit.core.console import Screen
from mousai_kit.core.errors import AudioError
from mousai_kit.core.interfaces import Dataset, Split
from mousai_kit.data.captions import licence_from_tags
from mousai_kit.data.combined import CombinedDataset, source_in_part
from mousai_kit.data.datasets import ClipSource
from mousai_kit.data.loader import in_order
from mousai_kit.data.tracks import Track, TrackDataset, cancels

GROUP = 8
"""Tracks for each thread that are measured before the next: they are kept together."""


@dataclass(frozen=True, slots=True)
class TrackStats:
    """A track or a clip: what is said of it, and what it is like where that was measured."""

    source: str
    split: Split
    seconds: float
    captioned: bool
    """Whether its collection or its tags say anything of it."""
    licence: str
    """Empty where nothing is said of it."""
    measures: AudioStats | None = None
    fault: str = ""
    """Why it can't be used."""


def pieces(
    dataset: Dataset, split: Split, *, sample_rate: int, quick: bool = False
) -> Iterator[TrackStats]:
    """Yield a dataset's tracks, or where it has none its clips of the first epoch, in order.

    `sample_rate` is that of its clips, in Hz. Tracks are decoded whole, several at a time, unless
    they were measured before; `quick` decodes nothing of them. What is measured is kept by the
    dataset after each group.
    """
    if isinstance(dataset, CombinedDataset):
        for name, part in dataset.parts.items():
            for piece in pieces(part, split, sample_rate=sample_rate, quick=quick):
                fault = piece.fault and source_in_part(name, piece.fault)
                yield replace(piece, source=source_in_part(name, piece.source), fault=fault)
        return
    if not isinstance(dataset, TrackDataset):
        yield from (_clip(dataset, index, split, sample_rate) for index in range(len(dataset)))
        return
    pool, size = ThreadPoolExecutor(threads()), threads() * GROUP
    try:
        for first in range(0, len(dataset.tracks), size):
            tracks = dataset.tracks[first : first + size]
            found = [None] * len(tracks) if quick else _measure_tracks(dataset, tracks, pool)
            yield from map(_piece, [dataset] * len(tracks), tracks, [split] * len(tracks), found)
    finally:
        pool.shutdown(cancel_futures=True)


def measure(clips: ClipSource, indices: Iterable[int], *, workers: int, screen: Screen) -> None:
    """Measure the tracks of some clips where they are to have a loudness and none is known yet.

    It takes `workers` processes, not more than there are cores, or with fewer than two this one.
    The dataset keeps each measure as it comes: whoever is stopped goes on from there. A track that
    can't be decoded is left to those who read its clips. TrainingError where a process dies.
    """
    if isinstance(clips, CombinedDataset):
        located = [clips.locate(index)[:2] for index in indices]
        for name, part in clips.parts.items():
            own = (place for its_name, place in located if its_name == name)
            measure(part, own, workers=workers, screen=screen)
        return
    if not isinstance(clips, TrackDataset) or not (places := clips.unmeasured_places(indices)):
        return
    count = min(workers, threads())
    work, tracks = partial(try_measure, clips), map(clips.tracks.__getitem__, places)
    measured = in_order(work, tracks, workers=count if count > 1 else 0)
    with screen.bar("measuring loudness", len(places)) as bar, closing(measured):
        for place, found in zip(places, measured, strict=True):
            if isinstance(found, AudioStats):
                clips.know(clips.tracks[place], found)
            bar.advance()


def pieces_with_stats(pieces: Iterable[TrackStats]) -> list[tuple[TrackStats, AudioStats]]:
    """Return those of some pieces that were measured, with what they are like."""
    return [(piece, piece.measures) for piece in pieces if piece.measures is not None]


def threads() -> int:
    """Return how many tracks are decoded at a time: one for each core that may be used."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def count(dataset: Dataset) -> int:
    """Return how many pieces a dataset has."""
    if isinstance(dataset, CombinedDataset):
        return sum(map(count, dataset.parts.values()))
    return len(dataset.tracks) if isinstance(dataset, TrackDataset) else len(dataset)


def _measure_tracks(
    dataset: TrackDataset, tracks: Sequence[Track], pool: ThreadPoolExecutor
) -> list[AudioStats | str]:
    """Return what tracks are like, or why they can't be decoded; keep what is new."""
    kept = dataset.cached_stats(tracks)
    unknown = [track for track, known in zip(tracks, kept, strict=True) if known is None]
    found = list(pool.map(partial(try_measure, dataset), unknown))
    pairs = zip(unknown, found, strict=True)
    dataset.cache_stats([(track, new) for track, new in pairs if isinstance(new, AudioStats)])
    measured = iter(found)
    return [next(measured) if known is None else known for known in kept]


def try_measure(dataset: TrackDataset, track: Track) -> AudioStats | str:
    """Return what a track is like, or why that can't be told."""
    try:
        return dataset.measure(track)
    except AudioError as error:
        return str(error)


def _piece(
    dataset: TrackDataset, track: Track, split: Split, found: AudioStats | str | None
) -> TrackStats:
    licence = _licence(dataset, track) if track.licence is None else track.licence
    channels = dataset.channels
    if isinstance(found, AudioStats) and found.loudness and found.loudness_as(channels) is None:
        found = str(audio_error(track.path, cancels(channels)))
    told: dict[str, Any] = {"fault": found} if isinstance(found, str) else {"measures": found}
    captioned = bool(dataset.caption_of(track))
    return TrackStats(display_path(track.path), split, track.seconds, captioned, licence, **told)


def _licence(dataset: TrackDataset, track: Track) -> str:
    """Return the licence that a track's own tags tell of; empty where they don't."""
    try:
        with dataset.open_track(track) as file:
            return licence_from_tags(read_tags(track.path, file))
    except AudioError:
        return ""


def _clip(dataset: Dataset, index: int, split: Split, sample_rate: int) -> TrackStats:
    try:
        clip = dataset.clip(index)
    except AudioError as error:
        return TrackStats(f"clip {index}", split, 0.0, captioned=True, licence="", fault=str(error))
    wave = clip.wave.numpy()
    measuring = AudioAnalyzer(sample_rate, len(wave))
    measuring.add(wave.T)
    measures = measuring.result()
    source = clip.source or f"clip {index}"
    return TrackStats(source, split, measures.seconds, bool(clip.text), "", measures)
