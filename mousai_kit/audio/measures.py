"""Measures: what decoding a whole file tells of it: loudness, peak, silence, and its content.

Legend: c channels, t time in samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from mousai_kit.audio.loudness import LoudnessMeter, Samples
from mousai_kit.audio.sound_file import fault, opened, pieces
from mousai_kit.audio.take import SILENCE

FULL_SCALE = 0.999
"""From this value on a sample may be clipped; it is where as many as `RUN` follow each other."""
RUN = 3
SHAPE_BITS = 48
"""Bits of a shape."""
SHAPE_HOPS = 96
"""Hops of 100 ms that a track must have for a shape: shorter ones are told apart badly."""
LIVELY = 0.3
"""dB by which the parts of a track must differ in the mean for a shape to mean something."""


@dataclass(frozen=True, slots=True)
class Measures:
    """What a whole track is like. Two tracks of the same `content` sound the same to the bit."""

    sample_rate: int
    """In Hz."""
    channels: int
    frames: int
    """Samples of each channel."""
    encoding: str
    """Format and encoding, such as `FLAC PCM_16`; empty where no file was read."""
    loudness: float | None
    """In LUFS; None where it is silent."""
    mixed: float | None
    """In LUFS: the mean of its channels, played by one; None where that is silent."""
    peak: float
    """Largest absolute sample."""
    silent: float
    """Share of its time (100 ms at a time) whose peak is under -80 dB of full scale."""
    clipped: float
    """Share of its samples that stand at full scale three times in a row or more."""
    content: str
    """Hash of the decoded samples, whatever the file's format and tags."""
    shape: str
    """Whether each part of it is louder than the one before, in hexadecimal digits: alike for
    another encoding of the same music. Empty for short and for even tracks."""

    @property
    def seconds(self) -> float:
        """Return the duration."""
        return self.frames / self.sample_rate

    def loudness_as(self, channels: int) -> float | None:
        """Return the loudness in LUFS once it has so many channels: see `audio.mixed`."""
        if channels == self.channels:
            return self.loudness
        return None if self.mixed is None else self.mixed + 10 * float(np.log10(channels))


def measured(path: Path, file: BinaryIO | None = None) -> Measures:
    """Return what a whole audio file is like, decoded a second at a time; `file` as in `opened`.

    AudioError where it can't be read or decoded to its end, or is not finite.
    """
    with opened(path, file) as sound:
        measuring = Measuring(sound.samplerate, sound.channels)
        for piece in pieces(path, sound):
            if not np.isfinite(piece.sum()):
                raise fault(
                    path, "holds samples that are not finite (NaN or infinity); leave it out"
                )
            measuring.add(piece)
        return measuring.result(f"{sound.format} {sound.subtype}")


class Measuring:
    """Measures audio that comes in pieces [t, c]."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        self.sample_rate, self.channels = sample_rate, channels
        self._meter = LoudnessMeter(sample_rate, channels)
        self._content = blake2b(f"{sample_rate} {channels}".encode(), digest_size=16)
        self._frames = self._clipped = 0
        self._quiet = 0.0
        self._peak = 0.0

    def add(self, piece: Samples) -> None:
        """Go on with a piece, of at least a sample."""
        self._meter.add(piece)
        self._content.update(piece.astype("<f4", order="C").tobytes())
        self._frames += len(piece)
        loud = np.abs(piece)
        self._peak = max(self._peak, float(loud.max()))
        self._clipped += _clipped(loud)
        self._quiet += _quiet(loud.max(1), self.sample_rate)

    def result(self, encoding: str = "") -> Measures:
        """Return the measures of all that came."""
        loudness, mixed = self._meter.integrated()
        samples = max(1, self._frames * self.channels)
        return Measures(
            sample_rate=self.sample_rate,
            channels=self.channels,
            frames=self._frames,
            encoding=encoding,
            loudness=loudness,
            mixed=mixed,
            peak=self._peak,
            silent=self._quiet / max(1, self._frames),
            clipped=self._clipped / samples,
            content=self._content.hexdigest(),
            shape=_shape(self._meter.powers[0]),
        )


def _clipped(loud: Samples) -> int:
    """Return how many samples of a piece [t, c] stand at full scale in a run."""
    if float(loud.max()) < FULL_SCALE or len(loud) < RUN:
        return 0
    at = loud >= FULL_SCALE
    inside = at[:-2] & at[1:-1] & at[2:]
    runs = np.zeros(at.shape, dtype=bool)
    for shift in range(RUN):
        runs[shift : len(at) - RUN + 1 + shift] |= inside
    return int(runs.sum())


def _quiet(peaks: Samples, sample_rate: int) -> int:
    """Return how many samples of a piece [t] lie in a tenth of a second of silence."""
    tenth = max(1, sample_rate // 10)
    firsts = np.arange(0, len(peaks), tenth)
    quiet = np.maximum.reduceat(peaks, firsts) < SILENCE
    lengths = np.diff(np.append(firsts, len(peaks)))
    return int(lengths[quiet].sum())


def _shape(powers: npt.NDArray[np.float64]) -> str:
    """Return the shape of a track by its power [hops] in each tenth of a second."""
    if len(powers) < SHAPE_HOPS:
        return ""
    edges = np.linspace(0, len(powers), SHAPE_BITS + 2)
    sums = np.interp(edges, np.arange(len(powers) + 1), np.concatenate([[0.0], powers.cumsum()]))
    parts = 10 * np.log10(np.diff(sums) + 1e-9)
    steps = np.diff(parts)
    if np.abs(steps).mean() < LIVELY:
        return ""
    return np.packbits(steps > 0).tobytes().hex()
