"""Metrics: how near generated audio is to real audio."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor

import mousai_kit.api as mk
from mousai_kit_mousai.stft_loss import stft_distance


class LogMelDistance(mk.Metric):
    """Mean distance of log-mel spectrograms: 0 for the same sound, 5 alike, 20 another sound."""

    name = "log-mel-distance"
    unit: ClassVar[str] = "dB"
    better: ClassVar[Literal["lower", "higher"]] = "lower"

    class Options(mk.Options):
        """Options of `metric: log-mel-distance`."""

        n_fft: int = mk.Field(2048, ge=64, le=65536, description="window of the STFT, in samples")
        hop: int = mk.Field(512, ge=16, le=65536, description="samples between two frames")
        bands: int = mk.Field(128, ge=8, le=512, description="mel bands")

    def __init__(self, options: Options, *, sample_rate: int) -> None:
        self.options, self.sample_rate = options, sample_rate

    def score(self, generated: Tensor, reference: Tensor) -> float:
        """Return the mean absolute difference in dB of audio [b, c, t] and [b, c, t]."""
        ours, theirs = (
            mk.log_mel(wave, self.sample_rate, **self.options.model_dump())
            for wave in (generated, reference)
        )
        return float((ours - theirs).abs().mean())


class MultiResolutionSTFT(mk.Metric):
    """Spectral convergence and log magnitude over several windows (Yamamoto et al., 2020)."""

    name = "multi-resolution-stft"
    unit: ClassVar[str] = ""
    better: ClassVar[Literal["lower", "higher"]] = "lower"

    class Options(mk.Options):
        """Options of `metric: multi-resolution-stft`."""

        windows: list[Annotated[int, mk.Field(ge=16, le=65536)]] = mk.Field(
            [512, 1024, 2048], min_length=1, description="windows in samples; a hop is a quarter"
        )

    def __init__(self, options: Options, *, sample_rate: int) -> None:
        self.windows = options.windows

    def score(self, generated: Tensor, reference: Tensor) -> float:
        """Return the mean over windows of both terms for audio [b, c, t] and [b, c, t]."""
        ours, theirs = (wave.flatten(0, 1)[None] for wave in (generated, reference))
        terms = [stft_distance(ours, theirs, window) for window in self.windows]
        return float(torch.cat(terms).mean())
