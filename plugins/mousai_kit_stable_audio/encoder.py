"""Oobleck's encoder as a spectral encoder: audio becomes a latent by learned filters alone."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

import mousai_kit.api as mk
from mousai_kit_stable_audio.oobleck import (
    NormConvolution,
    OobleckEncoder,
    OobleckOptions,
    ResidualUnit,
)


class Oobleck(mk.SpectralEncoder):
    """Encodes audio itself by convolutions with snake activations, as Stable Audio does."""

    name = "oobleck"

    class Options(OobleckOptions):
        """Options of `encoder: oobleck`."""

        latent_channels: int = mk.Field(
            64, ge=1, description="channels of the latent; before a posterior twice as many"
        )
        bottleneck: Literal["tanh", "none"] = mk.Field(
            "tanh", description="tanh keeps the latent between -1 and 1; a posterior needs none"
        )

    def __init__(self, options: Options, *, audio_channels: int, sample_rate: int) -> None:
        super().__init__(options, audio_channels=audio_channels, sample_rate=sample_rate)
        self.channels, self.downsampling = options.latent_channels, options.stride
        self.bounded = options.bottleneck == "tanh"
        self.layers = OobleckEncoder(options, inputs=audio_channels, outputs=self.channels)

    def forward(self, wave: Tensor) -> Tensor:
        """Encode audio [b, c, t] to latents [b, channels, t / downsampling]."""
        latent: Tensor = self.layers(wave)
        return latent.float().tanh() if self.bounded else latent

    def set_bias(self, value: float, *, first: int) -> None:
        """Let what comes of silence begin at a value, in channels from `first` on."""
        last = self.layers[-1]
        assert isinstance(last, NormConvolution)
        assert last.bias is not None
        with torch.no_grad():
            last.bias[first:] = value

    def repeated_blocks(self) -> list[nn.Module]:
        """Return the residual units."""
        return [layer for layer in self.layers if isinstance(layer, ResidualUnit)]
