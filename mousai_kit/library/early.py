"""Early: whether a data set is smaller than it looks, found out in seconds before training."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from torch import Tensor

from mousai_kit.audio import SILENCE, read, shown
from mousai_kit.errors import AudioError
from mousai_kit.interfaces import Dataset
from mousai_kit.music.tracks import Track, TrackDataset

SECONDS = 2.0
"""How much of a track's middle is compared."""


@dataclass(frozen=True, slots=True)
class Smaller:
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


def duplicates_and_silence(dataset: Dataset, *, at_most: int = 64) -> Smaller:
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
    return Smaller(looked_at, duplicates, silent, unreadable)


def _waves(dataset: Dataset, at_most: int) -> Iterator[tuple[str, Tensor | AudioError]]:
    """Yield the pieces to look at, each by its name."""
    if isinstance(dataset, TrackDataset):
        for place in _suspects(dataset.tracks, at_most):
            yield _middle(dataset, dataset.tracks[place])
        return
    for index in _spread(len(dataset), at_most):
        try:
            clip = dataset.clip(index)
        except AudioError as error:
            yield f"clip {index}", error
        else:
            yield clip.source or f"clip {index}", clip.wave


def _middle(dataset: TrackDataset, track: Track) -> tuple[str, Tensor | AudioError]:
    start = max(0.0, (track.seconds - SECONDS) / 2)
    rate, channels = dataset.sample_rate, dataset.channels
    try:
        with dataset.opened(track) as file:
            wave = read(
                track.path,
                file,
                sample_rate=rate,
                channels=channels,
                start=start,
                seconds=SECONDS,
            )
    except AudioError as error:
        return shown(track.path), error
    return shown(track.path), wave


def _suspects(tracks: Sequence[Track], at_most: int) -> list[int]:
    """Return which tracks to look at: those of one length, then others, spread evenly."""
    by_length: dict[float, list[int]] = defaultdict(list)
    for place, track in enumerate(tracks):
        by_length[track.seconds].append(place)
    groups = [places for places in by_length.values() if len(places) > 1]
    alike = [place for places in groups for place in places]
    half = at_most // 2
    found = [*alike[:half], *_spread(len(tracks), at_most - half), *alike[half:]]
    return list(dict.fromkeys([*found, *_spread(len(tracks), at_most)]))[:at_most]


def _spread(count: int, at_most: int) -> list[int]:
    """Return indices, at most so many, evenly spread."""
    wanted = min(count, at_most)
    return [place * count // wanted for place in range(wanted)]


def _digest(wave: Tensor) -> bytes:
    return blake2b(wave.contiguous().numpy().tobytes(), digest_size=16).digest()
