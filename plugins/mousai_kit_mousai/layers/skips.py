"""Skip connections around a depth. b batch, c channels, t time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mousai_kit_mousai.layers.conditions import Conditions
from mousai_kit_mousai.layers.resnet import adapter


class ModulatedSkip(nn.Module):
    """Add what the depth made to what came in, scaled per channel as the noise level says."""

    def __init__(self, inputs: int, outputs: int, features: int) -> None:
        super().__init__()
        self.adapter = adapter(inputs, outputs)
        self.scale = nn.Linear(features, outputs)

    def forward(self, before: Tensor, after: Tensor, conditions: Conditions) -> Tensor:
        """Join [b, inputs, t] and [b, outputs, t] to [b, outputs, t]."""
        scale = self.scale(conditions.features)[:, :, None]
        return torch.addcmul(self.adapter(before), scale, after)


class ConcatenatedSkip(nn.Module):
    """Mix the channels of what came in, weighted by 1 / sqrt(2), and of what the depth made."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.adapter = adapter(inputs, outputs)
        self.mix = nn.Conv1d(2 * outputs, outputs, 1)

    def forward(self, before: Tensor, after: Tensor, _: Conditions) -> Tensor:
        """Join [b, inputs, t] and [b, outputs, t] to [b, outputs, t]."""
        return self.mix(torch.cat([self.adapter(before) * 2**-0.5, after], dim=1))
