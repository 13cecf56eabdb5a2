"""Residual block of two convolutions over frames, and skip connections around a level.

Legend: b batch, t time, c channels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mousai_kit_mousai.layers.conditioning import Conditions
from mousai_kit_mousai.layers.group_norm import GroupNorm
from mousai_kit_mousai.layers.layout import as_frames, as_image
from mousai_kit_mousai.layers.linear import Convolution


class ResNetBlock(nn.Module):
    """Normalise, activate and convolve, twice, and add what came in."""

    def __init__(self, inputs: int, outputs: int, *, groups: int) -> None:
        super().__init__()
        self.first = NormalisedConvolution(inputs, outputs, groups)
        self.second = NormalisedConvolution(outputs, outputs, groups)
        self.adapter = adapter(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map x [b, t, inputs] to [b, t, outputs]."""
        image = as_image(x)
        around = image if self.adapter is None else self.adapter(image)
        return as_frames(self.second(self.first(image), around))


class NormalisedConvolution(nn.Module):
    """Group norm, SiLU and a convolution over three frames."""

    def __init__(self, inputs: int, outputs: int, groups: int) -> None:
        super().__init__()
        self.norm = GroupNorm(groups, inputs)
        self.convolution = Convolution(inputs, outputs, 3, padding=1)

    def forward(self, image: Tensor, plus: Tensor | None = None) -> Tensor:
        """Map an image [b, inputs, 1, t] to [b, outputs, 1, t], and add `plus`."""
        active = F.silu(self.norm(image), inplace=not torch.is_grad_enabled())
        return self.convolution(active, plus)


def adapter(inputs: int, outputs: int) -> Convolution | None:
    """Return a map of images to `outputs` channels, or None where there are as many already."""
    return None if inputs == outputs else Convolution(inputs, outputs, 1)


class ModulatedSkip(nn.Module):
    """Add what the depth made to what came in, scaled per channel as the noise level says."""

    def __init__(self, inputs: int, outputs: int, features: int) -> None:
        super().__init__()
        self.adapter = adapter(inputs, outputs)
        self.scale = nn.Linear(features, outputs)

    def forward(self, before: Tensor, after: Tensor, conditions: Conditions) -> Tensor:
        """Join [b, t, inputs] and [b, t, outputs] to [b, t, outputs]."""
        if self.adapter is not None:
            before = as_frames(self.adapter(as_image(before)))
        scale = conditions.modulation(self.scale, _per_frame)
        return torch.addcmul(before, scale.to(before.dtype), after.to(before.dtype))


class ConcatenatedSkip(nn.Module):
    """Mix the channels of what came in, weighted by 1 / sqrt(2), and of what the depth made."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.adapter = adapter(inputs, outputs)
        self.mix = Convolution(2 * outputs, outputs, 1)

    def forward(self, before: Tensor, after: Tensor, conditions: Conditions) -> Tensor:
        """Join [b, t, inputs] and [b, t, outputs] to [b, t, outputs]."""
        if self.adapter is not None:
            before = as_frames(self.adapter(as_image(before)))
        both = torch.cat([before * 2**-0.5, after.to(before.dtype)], dim=2)
        return as_frames(self.mix(as_image(both)))


def _per_frame(scale: Tensor) -> Tensor:
    """Return factors [b, c] so that they multiply frames [b, t, c]."""
    return scale[:, None]
