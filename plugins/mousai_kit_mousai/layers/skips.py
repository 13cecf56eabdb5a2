"""Skip connections around a depth. b batch, t time, c channels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mousai_kit_mousai.layers.conditions import Conditions
from mousai_kit_mousai.layers.frames import as_frames, as_image
from mousai_kit_mousai.layers.products import Convolution
from mousai_kit_mousai.layers.resnet import adapter


class ModulatedSkip(nn.Module):
    """Add what the depth made to what came in, scaled per channel as the noise level says."""

    def __init__(self, inputs: int, outputs: int, features: int) -> None:
        super().__init__()
        self.adapter = adapter(inputs, outputs)
        self.scale = nn.Linear(features, outputs)

    def forward(self, before: Tensor, after: Tensor, conditions: Conditions) -> Tensor:
        """Join [b, t, inputs] and [b, t, outputs] to [b, t, outputs]."""
        if self.adapter is not None:
            before = as_frames(self.adapter(as_image(before), None, conditions.fixed.packing))
        scale = conditions.at_level(self.scale, _per_frame)
        return torch.addcmul(before, scale.to(before.dtype), after.to(before.dtype))


class ConcatenatedSkip(nn.Module):
    """Mix the channels of what came in, weighted by 1 / sqrt(2), and of what the depth made."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.adapter = adapter(inputs, outputs)
        self.mix = Convolution(2 * outputs, outputs, 1)

    def forward(self, before: Tensor, after: Tensor, conditions: Conditions) -> Tensor:
        """Join [b, t, inputs] and [b, t, outputs] to [b, t, outputs]."""
        packing = conditions.fixed.packing
        if self.adapter is not None:
            before = as_frames(self.adapter(as_image(before), None, packing))
        both = torch.cat([before * 2**-0.5, after.to(before.dtype)], dim=2)
        return as_frames(self.mix(as_image(both), None, packing))


def _per_frame(scale: Tensor) -> Tensor:
    """Return factors [b, c] so that they multiply frames [b, t, c]."""
    return scale[:, None]
