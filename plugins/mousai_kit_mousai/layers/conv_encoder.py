"""Convolutional pyramid: a spectrum becomes a short latent. b batch, l frames, c channels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mousai_kit_mousai.layers.layout import as_frames, as_image
from mousai_kit_mousai.layers.linear import Convolution
from mousai_kit_mousai.layers.resnet import ResNetBlock


class ConvEncoder(nn.Module):
    """A ResNet block to enter, floors of strided convolution and ResNet blocks, and a way out."""

    def __init__(
        self,
        *,
        inputs: int,
        channels: Sequence[int],
        factors: Sequence[int],
        blocks: Sequence[int],
        outputs: int,
        groups: int,
        final_norm: bool,
    ) -> None:
        """Build for [b, inputs, l]; `channels` are those after the entry and after each floor."""
        super().__init__()
        self.enter = ResNetBlock(inputs, channels[0], groups=1)
        self.floors = nn.ModuleList(
            DownBlock(before, after, factor=factor, blocks=count, groups=groups)
            for before, after, factor, count in zip(
                channels[:-1], channels[1:], factors, blocks, strict=True
            )
        )
        self.norm = nn.GroupNorm(groups, channels[-1]) if final_norm else None
        self.leave = Convolution(channels[-1], outputs, 1)
        with torch.no_grad():  # start where tanh still has a slope: spectra in decibels are large
            self.leave.weight.mul_(0.1)

    def repeated_blocks(self) -> list[nn.Module]:
        """Return the residual blocks."""
        return [block for block in self.modules() if isinstance(block, ResNetBlock)]

    def forward(self, spectrum: Tensor) -> Tensor:
        """Map [b, inputs, l] to [b, outputs, l / product of factors, rounded up]."""
        x = self.enter(spectrum.transpose(1, 2)).contiguous()
        for floor in self.floors:
            x = floor(x)
        image = as_image(x)
        latent: Tensor = self.leave(image if self.norm is None else self.norm(image))
        return latent.squeeze(2)


class DownBlock(nn.Module):
    """A strided convolution, then ResNet blocks."""

    def __init__(self, inputs: int, outputs: int, *, factor: int, blocks: int, groups: int) -> None:
        super().__init__()
        self.shorten = Convolution(inputs, outputs, 2 * factor + 1, stride=factor, padding=factor)
        self.blocks = nn.ModuleList(
            ResNetBlock(outputs, outputs, groups=groups) for _ in range(blocks)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map [b, l, inputs] to [b, l / factor, outputs], rounded up."""
        x = as_frames(self.shorten(as_image(x)))
        for block in self.blocks:
            x = block(x)
        return x
