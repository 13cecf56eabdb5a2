"""Tracks: a dataset of audio files, of which crops are decoded one at a time.

Legend: c channels, t time in samples.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import BinaryIO

from torch import Tensor
from torch.nn.functional import pad

from mousai_kit import component
from mousai_kit.audio import SILENCE, read
from mousai_kit.audio.measures import Measures, measured
from mousai_kit.audio.sound_file import fault, shown
from mousai_kit.audio.tags import tags_of
from mousai_kit.component import Field
from mousai_kit.interfaces.dataset import Clip, Dataset, Split
from mousai_kit.music.captions import Fields, chunk_mark, one_line
from mousai_kit.seeds import derive

PLACES = 16
"""Places of a track that are tried before it counts as silent."""
GOLDEN = 0.618034
"""Places so far apart, taken modulo 1, cover a track evenly however many they are."""
REMEMBERED = 4096
"""Tracks whose tags are remembered, at most: a library may hold a hundred thousand."""


@dataclass(frozen=True, slots=True)
class Track:
    """An audio file of `seconds`, and what is known of it: fields, or a whole caption.

    `about` is None where the file's own tags are to be asked. `path` may lead into another file,
    which `TrackDataset.opened` opens: `music/003.tar/song.flac`. `name` is the track's name within
    its collection: crops depend on it and not on the track's place or folder. `licence` is None
    where the file's own tags are to be asked, and empty where nothing is said of it.
    """

    path: Path
    name: str
    seconds: float
    about: Fields | str | None = None
    licence: str | None = None


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
        self._told: dict[Path, Fields | str] = {}
        self._gains: dict[Path, float] = {}

    @abstractmethod
    def find_tracks(self) -> Sequence[Track]:
        """Return the tracks of `self.split` in a fixed order, as `self.options` say."""

    def opened(self, track: Track) -> AbstractContextManager[BinaryIO | None]:
        """Open a track that lies within another file; by default none does, told by None."""
        return nullcontext()

    def described(self, track: Track) -> Fields | str:
        """Return what is known of a track; empty fields where that is nothing."""
        if track.about is not None:
            return track.about
        with self.opened(track) as file:
            return Fields.of(tags_of(track.path, file))

    def __len__(self) -> int:
        """Return the number of crops in an epoch."""
        return len(self.tracks) * self.options.crops

    def clip(self, index: int, epoch: int = 0) -> Clip:
        """Return a crop with its caption; AudioError where the track can't be decoded or is silent.

        Captions are as in training for `train`; for `validation` all fields come in order.
        """
        place, number = divmod(index, self.options.crops)
        track = self.tracks[place]
        random = Random(derive("crop", track.name, number, epoch))  # noqa: S311 - no secret
        start, wave = self._crop(track, (number + random.random()) / self.options.crops)
        mark = chunk_mark(start, self.length / self.sample_rate, track.seconds)
        about = self._about(track)
        if isinstance(about, Fields):
            training = random if self.split == "train" else None
            about = about.caption(mark, random=training, drop=self.options.drop)
        return Clip(wave.mul_(self.gain(track)), about, shown(track.path))

    def gain(self, track: Track) -> float:
        """Return what a track's samples are multiplied with to have the loudness asked for.

        AudioError where the track has to be measured and can't be decoded.
        """
        if self.options.loudness is None:
            return 1.0
        if track.path not in self._gains:
            measures = self.measures(track)
            self._gains[track.path] = gain_to(self.options.loudness, measures, self.channels)
        return self._gains[track.path]

    def measures(self, track: Track) -> Measures:
        """Return what a track is like, from `kept_measures`, else by decoding it whole.

        AudioError where it has to be decoded and can't be.
        """
        (kept,) = self.kept_measures([track])
        if kept is None:
            with self.opened(track) as file:
                kept = measured(track.path, file)
            self.keep_measures([(track, kept)])
        return kept

    def kept_measures(self, tracks: Sequence[Track]) -> list[Measures | None]:
        """Return what is known of tracks from earlier, None for each that is not; default: none."""
        return [None] * len(tracks)

    def keep_measures(self, measures: Sequence[tuple[Track, Measures]]) -> None:
        """Keep what was measured for later, where there is a place for it; default: nowhere."""

    def captions(self) -> Iterator[str]:
        """Yield each track's caption with all its fields and a mark; nothing is decoded."""
        for track in self.tracks:
            about = self._about(track)
            mark = chunk_mark(0.0, self.length / self.sample_rate, track.seconds)
            yield about if isinstance(about, str) else about.caption(mark)

    def _crop(self, track: Track, place: float) -> tuple[float, Tensor]:
        """Return where in a track a crop starts (s), and the crop [c, length]; place in [0, 1)."""
        seconds = self.length / self.sample_rate
        span = max(0.0, track.seconds - seconds)
        for attempt in range(PLACES if span else 1):
            start = span * ((place + attempt * GOLDEN) % 1)
            with self.opened(track) as file:
                wave = read(
                    track.path,
                    file,
                    sample_rate=self.sample_rate,
                    channels=self.channels,
                    start=start,
                    seconds=seconds,
                )
            if wave.abs().max() >= SILENCE:
                short = self.length - wave.shape[1]
                return start, pad(wave, (0, short)) if short > 0 else wave[:, : self.length]
        where = f"at each of {PLACES} places" if span else "from end to end"
        raise fault(track.path, f"is silent (peak under -80 dB) {where}; leave it out")

    def _about(self, track: Track) -> Fields | str:
        """Return what is known of a track, be it only its file's name."""
        title = one_line(shown(Path(track.path.stem)).replace("_", " "))
        return self.told(track) or Fields(title=title)

    def told(self, track: Track) -> Fields | str:
        """Return what a track's collection or else its tags say of it; empty where they don't."""
        if track.path not in self._told:
            if len(self._told) >= REMEMBERED:
                del self._told[next(iter(self._told))]
            about = self.described(track)
            self._told[track.path] = one_line(about) if isinstance(about, str) else about
        return self._told[track.path]


def gain_to(loudness: float, measures: Measures, channels: int) -> float:
    """Return the gain that brings a track with so many channels to a loudness (LUFS).

    It is less where a sample would exceed 1 otherwise, and 1 where the track is silent.
    """
    if (heard := measures.loudness_as(channels)) is None:
        return 1.0
    wanted = float(10 ** ((loudness - heard) / 20))
    return min(wanted, 1 / measures.peak)
