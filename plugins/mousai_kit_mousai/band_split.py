"""Spectral encoder of log power at two resolutions, which begins with principal components."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

import mousai_kit.api as mk
from mousai_kit_mousai.layers.band_split import BandSplitSpectrum, SpectrumOptions
from mousai_kit_mousai.layers.residual_map import ResidualMap, principal_components

SLOPE = 0.15
"""What components of unit variance are multiplied with, so that tanh hardly bends them."""
QUIETEST = 0.5
"""Deviations of a feature, in nats, are not scaled up from less."""


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
        self.spectrum = BandSplitSpectrum(
            options, audio_channels=audio_channels, sample_rate=sample_rate, hop=options.hop
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
