"""Measures of a whole file: loudness (ITU-R BS.1770-4), peak, silence, and a hash of its content.

Legend: c channels, t time in samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from math import log10
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from mousai_kit.audio.io import iter_blocks, open_audio
from mousai_kit.audio.writer import SILENCE

Samples = npt.NDArray[np.float32]
"""Audio [t, c]."""
HOP = 0.1
"""Seconds from one gating block to the next."""
HOPS = 4
"""Hops in a gating block: 400 ms, overlapping by 75 %."""
ABSOLUTE, RELATIVE = -70.0, -10.0
"""Gates: blocks under -70 LUFS don't count, nor those 10 LU under the mean of the others."""
LOWEST = 4000
"""Sample rate in Hz from which on the first filter can be made."""
WEIGHTS = {4: (1, 1, 1.41, 1.41), 5: (1, 1, 1, 1.41, 1.41), 6: (1, 1, 1, 0, 1.41, 1.41)}
"""Weights of channels where some are surround; the low-frequency one of six does not count."""


class LoudnessMeter:
    """Integrated loudness of audio that comes in pieces.

    `loudness` is the audio's own, `mixed` that of the mean of its channels, played by one; both are
    LUFS, None where no block passes the gate. Audio shorter than a block is a block of its own.
    """

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._weights = np.array(WEIGHTS.get(channels, (1,) * channels))
        self._sections = _k_weighting(sample_rate)
        self._state = np.zeros((len(self._sections), channels, 2))
        self._hop = round(HOP * sample_rate)
        self._rest = np.zeros((channels, 0))
        self._powers: list[npt.NDArray[np.float64]] = []

    def add(self, piece: Samples) -> None:
        """Go on with a piece of audio [t, c], of at least a sample."""
        from scipy.signal import sosfilt

        wave = np.ascontiguousarray(piece.T, dtype=np.float64)
        weighted, self._state = sosfilt(self._sections, wave, zi=self._state)
        joined = np.concatenate([self._rest, weighted], axis=1)
        whole = joined.shape[1] // self._hop * self._hop
        self._rest = joined[:, whole:]
        hops = joined[:, :whole].reshape(len(joined), -1, self._hop)
        if whole:
            self._powers.append(self._power(hops))

    @property
    def block_powers(self) -> npt.NDArray[np.float64]:
        """Return the mean weighted power [2, hops] of each 100 ms: the audio's own, and mixed."""
        return np.concatenate(self._powers or [np.zeros((2, 0))], axis=1)

    def integrate(self) -> tuple[float | None, float | None]:
        """Return the loudness of all that came: the audio's own, and mixed."""
        powers = self.block_powers
        if powers.shape[1] < HOPS:
            powers = self._short(powers)
        windows = np.lib.stride_tricks.sliding_window_view(powers, HOPS, axis=1)
        own, mixed = windows.mean(-1)
        return _gated_loudness(own), _gated_loudness(mixed)

    def _power(self, hops: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the mean power [2, hops] of weighted audio [c, hops, t]."""
        own = self._weights @ np.square(hops).mean(-1)
        return np.stack([own, np.square(hops.mean(0)).mean(-1)])

    def _short(self, powers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return a block of power [2, 4], all alike, for audio that is shorter than one."""
        total = powers.sum(1, keepdims=True) * self._hop
        count = powers.shape[1] * self._hop + self._rest.shape[1]
        if self._rest.size:
            total += self._power(self._rest[:, None]) * self._rest.shape[1]
        return np.repeat(total / max(1, count), HOPS, axis=1)


def _k_weighting(sample_rate: int) -> npt.NDArray[np.float64]:
    """Return the standard's filters [n, 6] as second-order sections, exact at any rate."""
    import pyloudnorm

    meter = pyloudnorm.Meter(sample_rate, filter_class="DeMan")
    filters = list(meter._filters.values())  # its own measure needs the whole track in memory
    if sample_rate < LOWEST:
        filters = filters[1:]  # its high shelf begins above all that there is
    return np.stack([np.concatenate([item.passband_gain * item.b, item.a]) for item in filters])


def _gated_loudness(blocks: npt.NDArray[np.float64]) -> float | None:
    """Return the loudness of blocks of mean power, quiet ones left out (equations 5 to 7)."""
    loud = blocks[blocks >= 10 ** ((ABSOLUTE + 0.691) / 10)]
    if not len(loud):
        return None
    loud = loud[loud >= loud.mean() * 10 ** (RELATIVE / 10)]
    return -0.691 + 10 * log10(loud.mean())


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
class AudioStats:
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


def analyze_file(path: Path, file: BinaryIO | None = None) -> AudioStats:
    """Return what a whole audio file is like, decoded second by second; `file` as in `open_audio`.

    AudioError where it can't be read or decoded to its end, is not finite, or beyond 8.
    """
    with open_audio(path, file) as sound:
        measuring = AudioAnalyzer(sound.samplerate, sound.channels)
        for piece in iter_blocks(path, sound):
            measuring.add(piece)
        return measuring.result(f"{sound.format} {sound.subtype}")


class AudioAnalyzer:
    """Measures audio that comes in pieces [t, c]."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        self.sample_rate, self.channels = sample_rate, channels
        self._meter = LoudnessMeter(sample_rate, channels)
        self._content = blake2b(f"{sample_rate} {channels}".encode(), digest_size=16)
        self._frames = self._clipped = self._quiet = 0
        self._peak = 0.0

    def add(self, piece: Samples) -> None:
        """Go on with a piece, of at least a sample."""
        self._meter.add(piece)
        self._content.update(piece.astype("<f4", order="C").tobytes())
        self._frames += len(piece)
        loud = np.abs(piece)
        self._peak = max(self._peak, float(loud.max()))
        self._clipped += _count_clipped(loud)
        self._quiet += _quiet(loud, self.sample_rate)

    def result(self, encoding: str = "") -> AudioStats:
        """Return the measures of all that came."""
        loudness, mixed = self._meter.integrate()
        samples = max(1, self._frames * self.channels)
        return AudioStats(
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
            shape=_shape(self._meter.block_powers[0]),
        )


def _count_clipped(loud: Samples) -> int:
    """Return how many samples of a piece [t, c] stand at full scale in a run."""
    if float(loud.max()) < FULL_SCALE or len(loud) < RUN:
        return 0
    at = loud >= FULL_SCALE
    inside = at[:-2] & at[1:-1] & at[2:]
    runs = np.zeros(at.shape, dtype=bool)
    for shift in range(RUN):
        runs[shift : len(at) - RUN + 1 + shift] |= inside
    return int(runs.sum())


def _quiet(loud: Samples, sample_rate: int) -> int:
    """Return how many moments of a piece [t, c] lie in a tenth of a second of silence."""
    tenth = max(1, sample_rate // 10)
    whole = len(loud) // tenth * tenth
    peaks = loud[:whole].reshape(-1, tenth * loud.shape[1]).max(1)  # rows this long are quick
    rest = loud[whole:]
    left = len(rest) if len(rest) and rest.max() < SILENCE else 0
    return int((peaks < SILENCE).sum()) * tenth + left


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
