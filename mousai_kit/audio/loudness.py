"""Loudness: how loud a piece is as a whole, in LUFS (ITU-R BS.1770-4).

Legend: c channels, t time in samples.
"""

from __future__ import annotations

from math import log10

import numpy as np
import numpy.typing as npt

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
    def powers(self) -> npt.NDArray[np.float64]:
        """Return the mean weighted power [2, hops] of each 100 ms: the audio's own, and mixed."""
        return np.concatenate(self._powers or [np.zeros((2, 0))], axis=1)

    def integrated(self) -> tuple[float | None, float | None]:
        """Return the loudness of all that came: the audio's own, and mixed."""
        powers = self.powers
        if powers.shape[1] < HOPS:
            powers = self._short(powers)
        windows = np.lib.stride_tricks.sliding_window_view(powers, HOPS, axis=1)
        own, mixed = windows.mean(-1)
        return _gated(own), _gated(mixed)

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
    return np.stack([np.concatenate([it.passband_gain * it.b, it.a]) for it in filters])


def _gated(blocks: npt.NDArray[np.float64]) -> float | None:
    """Return the loudness of blocks of mean power, quiet ones left out (equations 5 to 7)."""
    loud = blocks[blocks >= _power_at(ABSOLUTE)]
    if not len(loud):
        return None
    loud = loud[loud >= loud.mean() * 10 ** (RELATIVE / 10)]
    return -0.691 + 10 * log10(loud.mean())


def _power_at(loudness: float) -> float:
    """Return the mean power of audio of a loudness (LUFS)."""
    return float(10 ** ((loudness + 0.691) / 10))
