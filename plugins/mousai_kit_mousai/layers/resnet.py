"""Residual block of two convolutions. b batch, c channels, t time."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class ResNetBlock(nn.Module):
    """Normalise, activate and convolve, twice, and add what came in."""

    def __init__(self, inputs: int, outputs: int, *, groups: int) -> None:
        super().__init__()
        self.first = NormalisedConvolution(inputs, outputs, groups)
        self.second = NormalisedConvolution(outputs, outputs, groups)
        self.adapter = adapter(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map x [b, inputs, t] to [b, outputs, t]."""
        return self.second(self.first(x)) + self.adapter(x)


class NormalisedConvolution(nn.Module):
    """Group norm, SiLU and a convolution over three frames."""

    def __init__(self, inputs: int, outputs: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, inputs)
        self.convolution = nn.Conv1d(inputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map x [b, inputs, t] to [b, outputs, t]."""
        return self.convolution(F.silu(self.norm(x)))


def adapter(inputs: int, outputs: int) -> nn.Module:
    """Return a map from `inputs` to `outputs` channels, which does nothing where they are equal."""
    return nn.Identity() if inputs == outputs else nn.Conv1d(inputs, outputs, 1)
