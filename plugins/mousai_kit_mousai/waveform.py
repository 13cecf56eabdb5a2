"""The waveform as domain: audio as it is."""

from __future__ import annotations

from torch import Tensor

import mousai_kit.api as mk


class Waveform(mk.Domain):
    """Audio itself, the paper's domain."""

    name = "waveform"

    def __init__(self, options: mk.Options, *, audio_channels: int) -> None:
        super().__init__(options, audio_channels=audio_channels)
        self.channels, self.stride = audio_channels, 1

    def forward(self, wave: Tensor) -> Tensor:
        """Return the audio [b, c, t]."""
        return wave

    def inverse(self, x: Tensor, length: int) -> Tensor:
        """Return the audio's first `length` samples [b, c, length]."""
        return x[..., :length]
