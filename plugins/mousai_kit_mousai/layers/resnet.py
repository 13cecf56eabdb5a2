"""Residual block of two convolutions over frames. b batch, t time, c channels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mousai_kit_mousai.layers.frames import as_frames, as_image
from mousai_kit_mousai.layers.group_norm import GroupNorm
from mousai_kit_mousai.layers.packing import Packing
from mousai_kit_mousai.layers.products import Convolution


class ResNetBlock(nn.Module):
    """Normalise, activate and convolve, twice, and add what came in."""

    def __init__(self, inputs: int, outputs: int, *, groups: int) -> None:
        super().__init__()
        self.first = NormalisedConvolution(inputs, outputs, groups)
        self.second = NormalisedConvolution(outputs, outputs, groups)
        self.adapter = adapter(inputs, outputs)

    def forward(self, x: Tensor, packing: Packing | None = None) -> Tensor:
        """Map x [b, t, inputs] to [b, t, outputs]."""
        image = as_image(x)
        around = image if self.adapter is None else self.adapter(image, None, packing)
        made = self.second(self.first(image, None, packing), around, packing)
        return as_frames(made)


class NormalisedConvolution(nn.Module):
    """Group norm, SiLU and a convolution over three frames."""

    def __init__(self, inputs: int, outputs: int, groups: int) -> None:
        super().__init__()
        self.norm = GroupNorm(groups, inputs)
        self.convolution = Convolution(inputs, outputs, 3, padding=1)

    def forward(self, image: Tensor, plus: Tensor | None, packing: Packing | None) -> Tensor:
        """Map an image [b, inputs, 1, t] to [b, outputs, 1, t], and add `plus`."""
        active = F.silu(self.norm(image), inplace=not torch.is_grad_enabled())
        result: Tensor = self.convolution(active, plus, packing)
        return result


def adapter(inputs: int, outputs: int) -> Convolution | None:
    """Return a map of images to `outputs` channels, or None where there are as many already."""
    return None if inputs == outputs else Convolution(inputs, outputs, 1)
