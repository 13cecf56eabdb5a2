"""Spectral encoder of log power at two resolutions, which begins with principal components."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

import mousai_kit.api as mk
from mousai_kit_mousai.layers.band_split import BandSplitSpectrum
from mousai_kit_mousai.layers.residual_map import ResidualMap, principal_components

SLOPE = 0.15
"""What components of unit variance are multiplied with, so that tanh hardly bends them."""
QUIETEST = 0.5
"""Deviations of a feature, in nats, are not scaled up from less."""


class SpectrumOptions(mk.Options):
    """How log power is told at two resolutions."""

    low: int = mk.Field(
        4096, ge=64, le=32768, multiple_of=4, description="samples under a window of the low bins"
    )
    high: int = mk.Field(
        1024, ge=16, le=32768, multiple_of=4, description="samples under a window of the high bands"
    )
    crossover: float = mk.Field(
        5000.0,
        gt=0,
        description="Hz where bands take over; at most three quarters of what the rate can hold",
    )
    bands: int = mk.Field(40, ge=1, le=512, description="bands above, about as wide as mel bands")
    stereo_bands: int = mk.Field(24, ge=1, le=512, description="bands that stereo is told in")

    def build(self, *, audio_channels: int, sample_rate: int, hop: int) -> BandSplitSpectrum:
        """Build what turns audio into features, a frame each `hop` samples.

        PluginError where the windows do not go with it, or the crossover not with them.
        """
        if hop % (self.high // 4) or self.low < 2 * hop:
            raise mk.PluginError(
                f"frames of {hop} samples need a `low` window of at least twice as many (got "
                f"{self.low}) and a quarter of `high` that divides them (got {self.high // 4})"
            )
        if self.crossover < (lowest := sample_rate / min(self.low, self.high)):
            raise mk.PluginError(
                f"a `crossover` of {self.crossover:g} Hz leaves nothing below it: at {sample_rate} "
                f"Hz the windows `low` and `high` tell {lowest:g} Hz and more"
            )
        return BandSplitSpectrum(
            audio_channels=audio_channels,
            sample_rate=sample_rate,
            hop=hop,
            low=self.low,
            high=self.high,
            crossover=self.crossover,
            bands=self.bands,
            stereo_bands=self.stereo_bands,
        )


class BandSplit(mk.SpectralEncoder):
    """Encodes log power at two resolutions, to begin with by its principal components.

    Low notes are told apart by long windows, attacks by short ones. `fit_statistics` measures the
    principal components of the music's features: they carry the pitch of unseen music at once, and
    training goes on from there.
    """

    name = "band-split"

    class Options(SpectrumOptions):
        """Options of `encoder: band-split`."""

        hop: int = mk.Field(
            1024, ge=16, le=16384, multiple_of=4, description="samples per latent frame"
        )
        channels: int = mk.Field(
            512, ge=8, multiple_of=8, description="channels inside the network"
        )
        blocks: int = mk.Field(1, ge=0, description="ResNet blocks of the network")
        latent_channels: int = mk.Field(128, ge=1, description="channels of the latent")

    mean: Tensor
    deviation: Tensor

    def __init__(self, options: Options, *, audio_channels: int, sample_rate: int) -> None:
        super().__init__(options, audio_channels=audio_channels, sample_rate=sample_rate)
        self.channels, self.downsampling = options.latent_channels, options.hop
        self.spectrum = options.build(
            audio_channels=audio_channels, sample_rate=sample_rate, hop=options.hop
        )
        features = self.spectrum.features
        self.map = ResidualMap(
            features, self.channels, channels=options.channels, blocks=options.blocks
        )
        self.register_buffer("mean", torch.zeros(features, 1))
        self.register_buffer("deviation", torch.ones(features, 1))

    def forward(self, wave: Tensor) -> Tensor:
        """Encode audio [b, c, t] to latents [b, channels, t / hop] in [-1, 1]."""
        latent: Tensor = self.map(self._normalise(self.spectrum(wave)))
        return (SLOPE * latent.float()).tanh()

    @torch.no_grad()
    def fit_statistics(self, waves: Iterable[Tensor]) -> None:
        """Measure the features of audio [b, c, t] and take their principal components."""
        parts = [self.spectrum(wave).transpose(1, 2).flatten(0, 1) for wave in waves]
        if not parts:
            return
        frames = torch.cat(parts)
        self.mean.copy_(frames.mean(0)[:, None])
        self.deviation.copy_(frames.std(0, correction=0).clamp(min=QUIETEST)[:, None])
        frames = self._normalise(frames.T[None])[0].T
        importance = self.spectrum.channel_weights().to(frames)
        self.map.fit(*principal_components(frames, self.channels, importance))

    def _normalise(self, features: Tensor) -> Tensor:
        return (features - self.mean) / self.deviation
