"""Mel statistics: an embedding that needs no network. b batch, c channels, t time, n windows."""

from __future__ import annotations

from math import log2

import torch
from torch import Tensor

import mousai_kit.api as mk
from mousai_kit_metrics.windows import cut_windows

WINDOW = 0.046
"""Seconds of an STFT's window, or about so many: a power of two samples. A hop is a quarter."""


class MelStatistics(mk.Embedding):
    """Means and spreads of mel bands in dB: timbre and liveliness, without a download.

    Of each stretch of `seconds`: the mean of each band's level, its standard deviation, and that of
    its change from frame to frame (12 ms), averaged over channels. It knows nothing of melody,
    harmony and rhythm, and bands reach to half the sample rate: figures of different rates can't be
    compared.
    """

    name = "mel-statistics"

    class Options(mk.Options):
        """Options of `embedding: mel-statistics`."""

        bands: int = mk.Field(
            32, ge=4, le=128, description="mel bands; a vector has three numbers of each"
        )
        seconds: float = mk.Field(
            1.0, ge=0.1, le=60, description="stretch of a clip that a vector is made of"
        )

    def __init__(self, options: Options, *, sample_rate: int) -> None:
        super().__init__(options, sample_rate=sample_rate)
        self.features, self.bands = 3 * options.bands, options.bands
        self.n_fft = 2 ** max(8, round(log2(WINDOW * sample_rate)))
        self.hop = self.n_fft // 4
        self.frames = 1 + round(options.seconds * sample_rate / self.hop)

    def forward(self, wave: Tensor) -> Tensor:
        """Return vectors [b, n, 3 bands] of audio [b, c, t], in dB."""
        level = mk.log_mel(wave, self.sample_rate, n_fft=self.n_fft, hop=self.hop, bands=self.bands)
        windows = cut_windows(level, self.frames)  # [b, c, bands, n, frames]
        change = torch.cat([windows[..., :1] * 0, windows.diff(dim=-1)], -1)
        spread, liveliness = (part.std(-1, correction=0) for part in (windows, change))
        found = torch.cat([windows.mean(-1), spread, liveliness], 2)
        return found.mean(1).transpose(1, 2)
