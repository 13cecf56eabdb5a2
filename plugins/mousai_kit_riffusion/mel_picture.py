"""Music as a picture: mel magnitudes to a power, played by Griffin-Lim.

Legend: b batch, c channels of audio, t samples, n frames, m mel bands.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

import torch
from pydantic import model_validator
from torch import Tensor

import mousai_kit.api as mk
from mousai_kit_riffusion.mel_spectrum import MelSettings, MelSpectrum

SILENCE = 1e-8
"""Least magnitude that is shown."""
LEAST_DEVIATION = 1e-2
"""Bands that deviate less are not scaled up further."""


class MelPicture(mk.Domain):
    """Mel picture of each channel, magnitudes to a power; phases are found by Griffin-Lim.

    Riffusion's (Forsgren & Martiros, 2022): phases are lost, and so is all above `highest`. Shown
    less its mean and over its deviation, band by band, as measured before training.
    """

    name = "mel-picture"

    class Options(mk.Options):
        """Options of `domain: mel-picture`; the defaults are Riffusion's."""

        bands: int = mk.Field(512, ge=8, le=2048, description="mel bands per channel of audio")
        hop: float = mk.Field(10.0, ge=1, le=100, description="milliseconds from frame to frame")
        window: float = mk.Field(
            100.0, ge=4, le=1000, description="milliseconds that a frame sees, tapered"
        )
        padding: int = mk.Field(
            4,
            ge=1,
            le=16,
            description="how many times as long as its window a frame is made by zeros: narrow "
            "bands need its finer bins",
        )
        lowest: float = mk.Field(0.0, ge=0, description="Hz at which the lowest band begins")
        highest: float = mk.Field(
            10_000.0, gt=0, description="Hz at which the highest band ends; what lies above is lost"
        )
        power: float = mk.Field(
            0.25, gt=0, le=1, description="magnitudes are shown to this power: 1 as they are"
        )
        iterations: int = mk.Field(32, ge=1, description="iterations of Griffin-Lim")
        momentum: float = mk.Field(
            0.99, ge=0, lt=1, description="how far Griffin-Lim carries phases on; 0: not at all"
        )
        playback_padding: int | None = mk.Field(
            None,
            ge=1,
            le=16,
            description="`padding` for Griffin-Lim, which divides it: 1 takes a fifth of the time "
            "that 4 does, and comes nearly as close; null: the same",
        )

        @model_validator(mode="after")
        def _check_together(self) -> Self:
            if self.lowest >= self.highest:
                raise ValueError(
                    f"lowest must be below highest (got {self.lowest:g} and {self.highest:g})"
                )
            if self.hop > self.window / 2:
                raise ValueError(
                    "windows must overlap by half or more: set hop to half of window at most "
                    f"(got {self.hop:g} and {self.window:g})"
                )
            if self.padding % (self.playback_padding or self.padding):
                raise ValueError(
                    "playback_padding must divide padding "
                    f"(got {self.playback_padding} and {self.padding})"
                )
            return self

    mean: Tensor
    """[c * m] mean of the powers, measured."""
    deviation: Tensor
    """[c * m] their standard deviation, measured."""

    def __init__(
        self, options: Options, *, audio_channels: int, sample_rate: int | None = None
    ) -> None:
        super().__init__(options, audio_channels=audio_channels)
        if sample_rate is None:
            raise mk.RequestError(f"{self.name}: must be told the audio's sample rate")
        settings = MelSettings(
            sample_rate,
            bands=options.bands,
            hop_ms=options.hop,
            window_ms=options.window,
            padding=options.padding,
            lowest=options.lowest,
            highest=options.highest,
        )
        self.spectrum = MelSpectrum(
            settings,
            iterations=options.iterations,
            momentum=options.momentum,
            playback_padding=options.playback_padding,
        )
        self.power = options.power
        self.stride, self.context_frames = settings.hop, self.spectrum.reach
        self.layout = mk.ChannelLayout(options.bands, audio_channels)
        self.channels = self.layout.channels
        self.register_buffer("mean", torch.zeros(self.channels))
        self.register_buffer("deviation", torch.ones(self.channels))

    def forward(self, wave: Tensor) -> Tensor:
        """Return the standardised picture [b, c * m, n] of audio [b, c, t], n = t / stride."""
        return (self._powers(wave) - self.mean[:, None]) / self.deviation[:, None]

    def inverse(self, x: Tensor, length: int) -> Tensor:
        """Return audio [b, c, length] of a standardised picture [b, c * m, n]."""
        powers = x.float() * self.deviation[:, None] + self.mean[:, None]
        magnitudes = powers.clamp(min=0) ** (1 / self.power)
        return self.spectrum.wave(magnitudes.unflatten(1, (-1, self._bands)))[..., :length]

    def fit_statistics(self, waves: Iterable[Tensor]) -> None:
        """Measure each band's mean and deviation over audio [b, c, t]."""
        total = torch.zeros(2, self.channels, dtype=torch.float64, device=self.mean.device)
        count = 0
        for wave in waves:
            powers = self._powers(wave).double()
            total += torch.stack([powers.sum((0, 2)), powers.square().sum((0, 2))])
            count += powers.shape[0] * powers.shape[2]
        if not count:
            return
        mean, square = total / count
        self.mean.copy_(mean)
        deviation = (square - mean.square()).clamp(min=0).sqrt()
        self.deviation.copy_(deviation.clamp(min=LEAST_DEVIATION))

    @property
    def _bands(self) -> int:
        return self.spectrum.settings.bands

    def _powers(self, wave: Tensor) -> Tensor:
        """Return mel magnitudes to the power, [b, c * m, n], of audio [b, c, t]."""
        magnitudes = self.spectrum.magnitudes(wave).clamp(min=SILENCE)
        return (magnitudes**self.power).flatten(1, 2)
