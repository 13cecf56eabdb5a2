"""Tracks: a dataset of audio files, of which crops are decoded one at a time.

Legend: c channels, t time in samples.

Split: which tracks are kept for validation, whatever else lies beside them.
"""

from __future__ import annotations

from abc import abstractmethod
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import BinaryIO, overload

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.nn.functional import pad

from mousai_kit.audio.analysis import AudioStats, analyze_file
from mousai_kit.audio.io import audio_error, audio_info, display_path, read
from mousai_kit.audio.tags import read_tags
from mousai_kit.audio.writer import SILENCE
from mousai_kit.core import component
from mousai_kit.core.component import Field
from mousai_kit.core.errors import AudioError
from mousai_kit.core.interfaces.dataset import Clip, Dataset, Split
from mousai_kit.core.seeds import derive_seed
from mousai_kit.data.captions import AnyCaption, CaptionFields, chunk_mark, collapse_whitespace

PLACES = 16
"""Places of a track that are tried before it counts as silent."""
GOLDEN = 0.618034
"""Places so far apart, taken modulo 1, cover a track evenly however many they are."""
ASKED = 512
"""Tracks whose measures are asked for at a time."""
REMEMBERED = 4096
"""Tracks whose tags are remembered, at most: a library may hold a hundred thousand."""


@dataclass(frozen=True, slots=True)
class Track:
    """An audio file of `seconds`, and what is known of it: fields, a whole caption, or several.

    `about` is None where the file's own tags are to be asked. `path` may lead into another file,
    which `TrackDataset.open_track` opens: `music/003.tar/song.flac`. `name` is the track's name
    within its collection: crops depend on it and not on the track's place or folder. `licence` is
    None where the file's own tags are to be asked, and empty where nothing is said of it.
    """

    path: Path
    name: str
    seconds: float
    about: AnyCaption | None = None
    licence: str | None = None


class TrackList(Sequence[Track]):
    """Tracks of a table's rows, made as they are asked for: a million are no object each.

    `make` returns the track of a row of the table; `rows` are those that are in the list.
    """

    def __init__(self, make: Callable[[int], Track], rows: npt.NDArray[np.int64]) -> None:
        self.make, self.rows = make, rows

    def part(self, split: Split, names: Iterable[str], fraction: float) -> TrackList:
        """Return the tracks of a split, where a fraction of them is held out by their names."""
        held = validation_mask(names, fraction)
        return TrackList(self.make, self.rows[held if split == "validation" else ~held])

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Track: ...

    @overload
    def __getitem__(self, index: slice) -> TrackList: ...

    def __getitem__(self, index: int | slice) -> Track | TrackList:
        """Return a track, or some of them."""
        if isinstance(index, slice):
            return TrackList(self.make, self.rows[index])
        return self.make(int(self.rows[index]))


class TrackDataset(Dataset):
    """Crops at random places of audio files; a subclass says which files.

    A crop that is silent is taken at another place of its track. A track shorter than a crop is
    padded with silence at its end.
    """

    class Options(component.Options):
        """Options of every dataset of tracks."""

        crops: int = Field(1, ge=1, le=10_000, description="crops of each track in an epoch")
        drop: float = Field(
            0.1, ge=0, le=1, description="chance of each field to be dropped from a caption"
        )
        genre_drop: float | None = Field(
            None,
            ge=0,
            le=1,
            description="chance of the genre to be dropped from a caption; null: as of the others",
        )
        balance: bool = Field(
            False,
            description="give every genre as many crops in an epoch: tracks of rare genres are "
            "cropped more often, those of common ones less, each at least once",
        )
        loudness: float | None = Field(
            None,
            ge=-70,
            le=0,
            description="LUFS that each track is brought to as a whole, such as -14, quieter where "
            "it would clip; null: as it is",
        )

    def __init__(
        self, options: Options, *, sample_rate: int, channels: int, length: int, split: Split
    ) -> None:
        self.options, self.split = options, split
        self.sample_rate, self.channels, self.length = sample_rate, channels, length
        self.tracks = self.find_tracks()
        self._told: dict[Path, AnyCaption] = {}
        self._gains: dict[Path, float] = {}
        self._ends = self._ends_of_tracks()

    @abstractmethod
    def find_tracks(self) -> Sequence[Track]:
        """Return the tracks of `self.split` in a fixed order, as `self.options` say."""

    def open_track(self, track: Track) -> AbstractContextManager[BinaryIO | None]:
        """Open a track that lies within another file; by default none does, told by None."""
        return nullcontext()

    def read_caption(self, track: Track) -> AnyCaption:
        """Return what is known of a track; empty fields where that is nothing."""
        if track.about is not None:
            return track.about
        with self.open_track(track) as file:
            return CaptionFields.of(read_tags(track.path, file))

    def __len__(self) -> int:
        """Return the number of crops in an epoch."""
        return self._ends[-1] if self._ends else 0

    def clip(self, index: int, epoch: int = 0) -> Clip:
        """Return a crop with its caption; AudioError where the track can't be decoded or is silent.

        Captions are as in training for `train`: of several, one is drawn. For `validation` all
        fields come in order, and of several captions the first.
        """
        index = range(len(self))[index]
        place = self._place(index)
        track, first = self.tracks[place], self._ends[place - 1] if place else 0
        number, crops = index - first, self._ends[place] - first
        random = Random(derive_seed("crop", track.name, number, epoch))  # noqa: S311 - no secret
        start, wave = self._crop(track, (number + random.random()) / crops)
        mark = chunk_mark(start, self.length / self.sample_rate, track.seconds)
        about, training = self._about(track), random if self.split == "train" else None
        facts = about.facts if isinstance(about, CaptionFields) else {}
        if isinstance(about, tuple):
            about = training.choice(about) if training else about[0]
        elif isinstance(about, CaptionFields):
            about = about.caption(
                mark,
                random=training,
                drop=self.options.drop,
                genre_drop=self.options.genre_drop,
            )
        return Clip(
            wave.mul_(self.gain(track)),
            about,
            display_path(track.path),
            start=start,
            track_seconds=track.seconds,
            facts=facts,
        )

    def gain(self, track: Track) -> float:
        """Return what a track's samples are multiplied with to have the loudness asked for.

        AudioError where the track has to be measured and can't be decoded.
        """
        if self.options.loudness is None:
            return 1.0
        if track.path not in self._gains:
            self._gains[track.path] = self._gain(self.measures(track))
        return self._gains[track.path]

    def measures(self, track: Track) -> AudioStats:
        """Return what a track is like, from `cached_stats`, else by decoding it whole.

        AudioError where it has to be decoded and can't be.
        """
        (kept,) = self.cached_stats([track])
        if kept is None:
            kept = self.measure(track)
            self.cache_stats([(track, kept)])
        return kept

    def measure(self, track: Track) -> AudioStats:
        """Decode a track whole and return what it is like; AudioError where it can't be decoded."""
        with self.open_track(track) as file:
            return analyze_file(track.path, file)

    def excerpt(self, track: Track, start: float, seconds: float) -> Tensor:
        """Decode `seconds` of a track from `start` (s) on: [c, t], less where it ends sooner.

        AudioError where it can't be decoded.
        """
        rate, channels = self.sample_rate, self.channels
        with self.open_track(track) as file:
            return read(
                track.path, file, sample_rate=rate, channels=channels, start=start, seconds=seconds
            )

    def unmeasured_places(self, clips: Iterable[int]) -> list[int]:
        """Return the places in `tracks` of those that some clips are of, that are to have a
        loudness, and that were never measured.

        Whoever measures them before the clips are read, several at a time, tells `know` of each.
        """
        if self.options.loudness is None:
            return []
        places = list(dict.fromkeys(self._place(clip) for clip in clips))
        parts = (places[first : first + ASKED] for first in range(0, len(places), ASKED))
        return [place for part in parts for place in self._unknown(part)]

    def know(self, track: Track, measures: AudioStats) -> None:
        """Take over what a track is like, and keep it for later."""
        self._gains[track.path] = self._gain(measures)
        self.cache_stats([(track, measures)])

    def cached_stats(self, tracks: Sequence[Track]) -> list[AudioStats | None]:
        """Return what is known of tracks from earlier, None for each that is not; default: none."""
        return [None] * len(tracks)

    def cache_stats(self, measures: Sequence[tuple[Track, AudioStats]]) -> None:
        """Keep what was measured for later, where there is a place for it; default: nowhere."""

    def captions(self) -> Iterator[str]:
        """Yield each track's caption with all its fields and a mark, or all that it has of them.

        Nothing is decoded.
        """
        for track in self.tracks:
            about = self._about(track)
            mark = chunk_mark(0.0, self.length / self.sample_rate, track.seconds)
            if isinstance(about, CaptionFields):
                yield about.caption(mark)
            else:
                yield from [about] if isinstance(about, str) else about

    def _unknown(self, places: Sequence[int]) -> Iterator[int]:
        """Yield those of some places whose tracks were never measured; take over what is kept."""
        tracks = [self.tracks[place] for place in places]
        for place, track, kept in zip(places, tracks, self.cached_stats(tracks), strict=True):
            if kept is not None:
                self._gains[track.path] = self._gain(kept)
            elif track.path not in self._gains:
                yield place

    def _place(self, index: int) -> int:
        """Return the place in `tracks` of a clip's track."""
        return bisect_right(self._ends, index)

    def _ends_of_tracks(self) -> Sequence[int]:
        """Return the index of the first clip after those of each track."""
        crops, count = self.options.crops, len(self.tracks)
        if not self.options.balance or self.split != "train":
            return range(crops, crops * (count + 1), crops)
        return array("q", accumulate(balance([*map(self._genre, self.tracks)], crops)))

    def _genre(self, track: Track) -> str:
        """Return a track's genre, whatever its case; empty where nothing is said of it."""
        with suppress(AudioError):  # whoever reads its audio tells what is wrong with it
            about = self.caption_of(track)
            return about.genre.casefold() if isinstance(about, CaptionFields) else ""
        return ""

    def _gain(self, measures: AudioStats) -> float:
        assert self.options.loudness is not None
        return gain_to(self.options.loudness, measures, self.channels)

    def _crop(self, track: Track, place: float) -> tuple[float, Tensor]:
        """Return where in a track a crop starts (s), and the crop [c, length]; place in [0, 1)."""
        seconds = self.length / self.sample_rate
        span = max(0.0, track.seconds - seconds)
        for attempt in range(PLACES if span else 1):
            start = span * ((place + attempt * GOLDEN) % 1)
            wave = self.excerpt(track, start, seconds)
            if wave.abs().max() >= SILENCE:
                short = self.length - wave.shape[1]
                return start, pad(wave, (0, short)) if short > 0 else wave[:, : self.length]
        if self._cancels(track, start):
            raise audio_error(track.path, cancels(self.channels))
        where = f"at each of {PLACES} places" if span else "from end to end"
        raise audio_error(track.path, f"is silent (peak under -80 dB) {where}; leave it out")

    def _cancels(self, track: Track, start: float) -> bool:
        """Return whether what is silent in a track from `start` (s) on is heard unmixed."""
        rate, seconds = self.sample_rate, self.length / self.sample_rate
        with self.open_track(track) as file:
            own = audio_info(track.path, file).channels
        if own <= self.channels:
            return False
        with self.open_track(track) as file:
            wave = read(
                track.path, file, sample_rate=rate, channels=own, start=start, seconds=seconds
            )
        return bool(wave.abs().max() >= SILENCE)

    def _about(self, track: Track) -> AnyCaption:
        """Return what is known of a track, be it only its file's name."""
        title = collapse_whitespace(display_path(Path(track.path.stem)).replace("_", " "))
        return self.caption_of(track) or CaptionFields(title=title)

    def caption_of(self, track: Track) -> AnyCaption:
        """Return what a track's collection or else its tags say of it; empty where they don't."""
        if track.path not in self._told:
            if len(self._told) >= REMEMBERED:
                del self._told[next(iter(self._told))]
            about = self.read_caption(track)
            if isinstance(about, tuple):
                about = tuple(map(collapse_whitespace, about))
            self._told[track.path] = collapse_whitespace(about) if isinstance(about, str) else about
        return self._told[track.path]


def balance(genres: Sequence[str], crops: int) -> list[int]:
    """Return how many crops each track has, so that all genres have as many: about `crops` a track.

    A genre's crops are spread evenly over its tracks. All genres have as many crops as the most
    common one has tracks, at least: no track goes without.
    """
    tracks = Counter(genres)
    each = max(*tracks.values(), crops * len(genres) // len(tracks)) if tracks else 0
    seen, shares = Counter[str](), []
    for genre in genres:
        before, seen[genre] = seen[genre], seen[genre] + 1
        first, last = (each * number // tracks[genre] for number in (before, seen[genre]))
        shares.append(last - first)
    return shares


def cancels(channels: int) -> str:
    """Return what is wrong with a track that is silent only where its channels are mixed."""
    return (
        f"is silent once its channels are mixed to {channels}: they cancel each other out "
        "(antiphase); invert one of them, set `audio.channels` to as many, or leave it out"
    )


def gain_to(loudness: float, measures: AudioStats, channels: int) -> float:
    """Return the gain that brings a track with so many channels to a loudness (LUFS).

    It is less where a sample would exceed 1 otherwise, and 1 where the track is silent.
    """
    if (heard := measures.loudness_as(channels)) is None:
        return 1.0
    wanted = float(10 ** ((loudness - heard) / 20))
    return min(wanted, 1 / measures.peak)


def validation_mask(names: Iterable[str], fraction: float) -> npt.NDArray[np.bool_]:
    """Return which tracks are kept for validation, by a hash of each name that no other changes.

    Of two songs or more at least one is kept and one left; a single one is left for training. What
    shares a name but for its ending is one song, and never on both sides.
    """
    ranks = np.fromiter(map(_rank, names), np.float64)
    ordered = np.unique(ranks)
    if fraction <= 0 or len(ordered) < 2:
        return np.zeros(len(ranks), np.bool_)
    kept = min(max(int((ordered < fraction).sum()), 1), len(ordered) - 1)
    return np.asarray(ranks < ordered[kept])


def _rank(name: str) -> float:
    """Return a number in [0, 1) for a track, evenly spread; the same for a song's every format."""
    stem, _, ending = name.rpartition("/")[2].rpartition(".")
    song = name[: -1 - len(ending)] if stem and ending else name
    return int.from_bytes(sha256(song.encode()).digest()[:6], "big") / (1 << 48)
