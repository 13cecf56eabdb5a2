"""Spectral encoders: the paper's, of magnitudes, and its authors' later one, of mel bands."""

from __future__ import annotations

from math import prod
from typing import Self

from pydantic import model_validator
from torch import Tensor, nn

import mousai_kit.api as mk
from mousai_kit_mousai.layers.conv_encoder import ConvEncoder, ConvEncoderOptions
from mousai_kit_mousai.layers.resnet import ResNetBlock
from mousai_kit_mousai.layers.spectrum import LogMelSpectrum, MagnitudeSpectrum
from mousai_kit_mousai.unet_options import Copies, Count


class ConvSpectralEncoder(mk.SpectralEncoder):
    """A spectrum, then convolutions: what both encoders share."""

    spectrum: nn.Module

    def build_convolutions(self, options: ConvEncoderOptions, inputs: int, hop: int) -> None:
        """Build what encodes a spectrum [b, inputs, l], a frame each `hop` samples."""
        self.channels = options.latent_channels
        self.downsampling = hop * prod(options.factors)
        self.pyramid = ConvEncoder(options, inputs)
        self.bounded = options.bottleneck == "tanh"

    def repeated_blocks(self) -> list[nn.Module]:
        """Return the residual blocks."""
        return [block for block in self.modules() if isinstance(block, ResNetBlock)]

    def forward(self, wave: Tensor) -> Tensor:
        """Encode audio [b, c, t] to latents [b, channels, t / downsampling]."""
        latent: Tensor = self.pyramid(self.spectrum(wave))
        return latent.float().tanh() if self.bounded else latent


class Magnitude(ConvSpectralEncoder):
    """Encodes STFT magnitudes with 1-D convolutions: the paper's encoder."""

    name = "magnitude"

    class Options(ConvEncoderOptions):
        """Options of `encoder: magnitude`."""

        n_fft: int = mk.Field(1023, ge=2, description="samples under one frame of the STFT")
        hop_length: int = mk.Field(256, ge=1, description="samples from frame to frame")
        log: bool = mk.Field(False, description="encode logarithms of the magnitudes")

    def __init__(self, options: Options, *, audio_channels: int, sample_rate: int) -> None:
        super().__init__(options, audio_channels=audio_channels, sample_rate=sample_rate)
        self.spectrum = MagnitudeSpectrum(
            n_fft=options.n_fft, hop_length=options.hop_length, log=options.log
        )
        self.build_convolutions(options, audio_channels * self.spectrum.bins, options.hop_length)


class Mel(ConvSpectralEncoder):
    """Encodes log mel bands with 1-D convolutions: the authors' later encoder."""

    name = "mel"

    class Options(ConvEncoderOptions):
        """Options of `encoder: mel`; the defaults are those of the authors' published example."""

        multipliers: list[Count] = mk.Field(
            [1, 1], min_length=1, description="width at the entry and after each factor"
        )
        factors: list[Count] = mk.Field(
            [2], description="how many times each strided convolution shortens the sequence"
        )
        blocks: list[Copies] = mk.Field([12], description="ResNet blocks after each factor")
        mels: int = mk.Field(80, ge=1, description="mel bands per channel")
        n_fft: int = mk.Field(1024, ge=2, description="samples under one frame of the STFT")
        hop_length: int = mk.Field(256, ge=1, description="samples from frame to frame")

        @model_validator(mode="after")
        def _frames_fit(self) -> Self:
            if self.n_fft < self.hop_length or (self.n_fft - self.hop_length) % 2:
                raise ValueError(
                    "n_fft must be hop_length or an even number of samples more, so that frames "
                    f"cover the wave evenly (got n_fft {self.n_fft}, hop_length {self.hop_length})"
                )
            return self

    def __init__(self, options: Options, *, audio_channels: int, sample_rate: int) -> None:
        super().__init__(options, audio_channels=audio_channels, sample_rate=sample_rate)
        self.spectrum = LogMelSpectrum(
            n_fft=options.n_fft,
            hop_length=options.hop_length,
            mels=options.mels,
            sample_rate=sample_rate,
        )
        self.build_convolutions(options, audio_channels * options.mels, options.hop_length)
