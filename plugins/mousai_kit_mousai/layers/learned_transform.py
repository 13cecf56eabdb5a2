"""Learned transform in front of the U-Net, and its way back. b batch, c channels, t time."""

from __future__ import annotations

from torch import Tensor, nn


class LearnedTransform(nn.Module):
    """A strided convolution makes frames of a wave; a transposed one makes a wave of frames."""

    def __init__(
        self, *, inputs: int, outputs: int, filters: int, window: int, stride: int
    ) -> None:
        super().__init__()
        padding = (window - stride) // 2
        self.analysis = nn.Conv1d(
            inputs,
            inputs * filters,
            window,
            stride=stride,
            padding=padding,
            padding_mode="reflect",
            bias=False,
        )
        self.synthesis = nn.ConvTranspose1d(
            outputs * filters, outputs, window, stride=stride, padding=padding, bias=False
        )

    def forward(self, wave: Tensor) -> Tensor:
        """Map a wave [b, inputs, t] to frames [b, inputs * filters, t / stride]."""
        return self.analysis(wave)

    def inverse(self, frames: Tensor) -> Tensor:
        """Map frames [b, outputs * filters, t / stride] to a wave [b, outputs, t]."""
        return self.synthesis(frames)
