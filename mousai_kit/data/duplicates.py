"""Alike: pieces that are the same music, to the bit or but for their encoding.

Early: whether a data set is smaller than it looks, found out in seconds before training.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
from torch import Tensor

from mousai_kit.audio.io import display_path
from mousai_kit.audio.writer import SILENCE
from mousai_kit.core.errors import AudioError
from mousai_kit.core.interfaces import Dataset
from mousai_kit.data.combined import CombinedDataset, source_in_part
from mousai_kit.data.datasets import evenly_spread
from mousai_kit.data.track_stats import TrackStats, pieces_with_stats
from mousai_kit.data.tracks import Track, TrackDataset

BITS = 3
"""Bits in which the shapes of two encodings of the same music may differ. Encodings of the clips
that come along differ in 2 at most, other music in 17 at least."""
LENGTHS = 0.25
"""Seconds by which their lengths may."""

Pair = tuple[TrackStats, TrackStats]


def exact_duplicates(pieces: Iterable[TrackStats]) -> list[list[TrackStats]]:
    """Return groups of pieces with the same audio to the bit; silent ones are no music."""
    groups: dict[str, list[TrackStats]] = defaultdict(list)
    for piece, stats in pieces_with_stats(pieces):
        if stats.loudness is not None:
            groups[stats.content].append(piece)
    return [group for group in groups.values() if len({clip.source for clip in group}) > 1]


def near_duplicates(pieces: Iterable[TrackStats]) -> list[Pair]:
    """Return pairs that are the same music in another encoding, or at another level."""
    shaped = [(piece, stats) for piece, stats in pieces_with_stats(pieces) if stats.shape]
    shaped.sort(key=lambda pair: pair[0].seconds)
    shapes = np.array([int(stats.shape, 16) for _, stats in shaped], dtype=np.uint64)
    seconds = np.array([piece.seconds for piece, _ in shaped])
    ends = np.searchsorted(seconds, seconds + LENGTHS, side="right")
    pairs: list[Pair] = []
    for index, end in enumerate(ends):
        differing = _bits(shapes[index + 1 : end] ^ shapes[index])
        piece, stats = shaped[index]
        others = (shaped[other] for other in np.flatnonzero(differing <= BITS) + index + 1)
        pairs += [(piece, other) for other, those in others if those.content != stats.content]
    return pairs


def split_leaks(groups: Iterable[Sequence[TrackStats]]) -> list[Pair]:
    """Return, of each group that is in both splits, a piece of `train` and one of `validation`."""
    by_split = ({clip.split: clip for clip in reversed(group)} for group in groups)
    return [(first["train"], first["validation"]) for first in by_split if len(first) > 1]


def _bits(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
    """Return how many bits of each number are set."""
    octets = np.ascontiguousarray(numbers).view(np.uint8).reshape(-1, 8)
    return np.unpackbits(octets, axis=1).sum(1, dtype=np.uint8)


SECONDS = 2.0
"""How much of a track's middle is compared."""


@dataclass(frozen=True, slots=True)
class QuickCheck:
    """What was found among the pieces that were looked at. Names are those of `Clip.source`."""

    looked_at: int
    duplicates: list[tuple[str, str]]
    """A piece with the same audio as another one, and that one."""
    silent: list[str]
    """Pieces that are silent where they were looked at (peak under -80 dB of full scale)."""
    unreadable: list[str]
    """A line for each that can't be decoded."""

    @property
    def share(self) -> float:
        """Return which share of the pieces that were looked at teaches nothing new."""
        lost = len(self.duplicates) + len(self.silent) + len(self.unreadable)
        return lost / max(1, self.looked_at)


def duplicates_and_silence(dataset: Dataset, *, at_most: int = 64) -> QuickCheck:
    """Look at so many pieces of a dataset for audio that comes twice and for silence.

    Of a dataset of tracks, those with exactly the same length as another one come first, since
    copies have it: where few tracks share a length, half of `at_most` of them are compared
    however large the dataset is. Two seconds in the middle of each are decoded. Of another
    dataset, clips spread over the first epoch are compared. Nothing is raised for a file that
    can't be read.
    """
    looked_at, silent, unreadable = 0, [], []
    seen: dict[bytes, str] = {}
    duplicates: list[tuple[str, str]] = []
    for source, wave in _waves(dataset, at_most):
        looked_at += 1
        if isinstance(wave, AudioError):
            unreadable.append(str(wave))
        elif wave.abs().max() < SILENCE:
            silent.append(source)
        elif (first := seen.setdefault(_digest(wave), source)) != source:
            duplicates.append((source, first))
    return QuickCheck(looked_at, duplicates, silent, unreadable)


def _waves(dataset: Dataset, at_most: int) -> Iterator[tuple[str, Tensor | AudioError]]:
    """Yield the pieces to look at, each by its name."""
    if isinstance(dataset, CombinedDataset):
        share = -(-at_most // len(dataset.parts))
        for name, part in dataset.parts.items():
            for source, wave in _waves(part, share):
                yield source_in_part(name, source), wave
        return
    if isinstance(dataset, TrackDataset):
        for place in _suspects(dataset.tracks, at_most):
            yield _middle(dataset, dataset.tracks[place])
        return
    for index in evenly_spread(len(dataset), at_most):
        try:
            clip = dataset.clip(index)
        except AudioError as error:
            yield f"clip {index}", error
        else:
            yield clip.source or f"clip {index}", clip.wave


def _middle(dataset: TrackDataset, track: Track) -> tuple[str, Tensor | AudioError]:
    start = max(0.0, (track.seconds - SECONDS) / 2)
    try:
        return display_path(track.path), dataset.excerpt(track, start, SECONDS)
    except AudioError as error:
        return display_path(track.path), error


def _suspects(tracks: Sequence[Track], at_most: int) -> list[int]:
    """Return which tracks to look at: those of one length, then others, spread evenly."""
    by_length: dict[float, list[int]] = defaultdict(list)
    for place, track in enumerate(tracks):
        by_length[track.seconds].append(place)
    groups = [places for places in by_length.values() if len(places) > 1]
    alike = [place for places in groups for place in places]
    half = at_most // 2
    found = [*alike[:half], *evenly_spread(len(tracks), at_most - half), *alike[half:]]
    return list(dict.fromkeys([*found, *evenly_spread(len(tracks), at_most)]))[:at_most]


def _digest(wave: Tensor) -> bytes:
    return blake2b(wave.contiguous().numpy().tobytes(), digest_size=16).digest()
