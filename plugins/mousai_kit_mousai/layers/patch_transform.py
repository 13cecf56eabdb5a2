"""Learned transform in front of the U-Net, and its way back. b batch, c channels, t time."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from mousai_kit_mousai.layers.packing import Packable


class PatchTransform(Packable):
    """A strided convolution makes frames of a wave; a transposed one makes a wave of frames.

    Both are linear layers over windows of the wave.
    """

    def __init__(
        self, *, inputs: int, outputs: int, filters: int, window: int, stride: int
    ) -> None:
        super().__init__()
        self.padding = (window - stride) // 2
        self.window, self.stride = window, stride
        self.analysis = nn.Conv1d(inputs, inputs * filters, window, stride=stride, bias=False)
        self.synthesis = nn.ConvTranspose1d(
            outputs * filters, outputs, window, stride=stride, bias=False
        )

    def forward(self, wave: Tensor) -> Tensor:
        """Map a wave [b, inputs, t] to frames [b, t / stride, inputs * filters]."""
        if self.padding:
            wave = F.pad(wave, (self.padding, self.padding), mode="reflect")
        windows = wave.unfold(2, self.window, self.stride).transpose(1, 2).flatten(2)
        return self.project(windows, self._analysis_weights)

    def inverse(self, frames: Tensor) -> Tensor:
        """Map frames [b, t / stride, outputs * filters] to a wave [b, outputs, t]."""
        windows = self.project(frames, self._synthesis_weights)
        return self._overlap_add(windows.unflatten(2, (-1, self.window)).transpose(1, 2))

    def _analysis_weights(self) -> tuple[Tensor, None]:
        return self.analysis.weight.flatten(1), None

    def _synthesis_weights(self) -> tuple[Tensor, None]:
        return self.synthesis.weight.flatten(1).t(), None

    def _overlap_add(self, windows: Tensor) -> Tensor:
        """Return the wave [b, c, t] that windows [b, c, t / stride, window] add up to."""
        count = windows.shape[2]
        if not self.padding:
            return windows.flatten(2)
        whole = self.stride * (count - 1) + self.window
        columns = windows.flatten(0, 1).transpose(1, 2)
        wave = F.fold(columns, (1, whole), (1, self.window), stride=(1, self.stride))
        return wave[:, 0, 0, self.padding : whole - self.padding].unflatten(0, windows.shape[:2])
