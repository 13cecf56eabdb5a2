"""Convolutional pyramid: a spectrum becomes a short latent. b batch, l frames, c channels."""

from __future__ import annotations

from typing import Literal, Self

import torch
from pydantic import model_validator
from torch import Tensor, nn

import mousai_kit.api as mk
from mousai_kit_mousai.layers.layout import as_frames, as_image
from mousai_kit_mousai.layers.linear import Convolution
from mousai_kit_mousai.layers.resnet import ResNetBlock
from mousai_kit_mousai.unet_options import Copies, Count


class ConvEncoderOptions(mk.Options):
    """What a `ConvEncoder` is made of, between a spectrum and the latent."""

    channels: int = mk.Field(512, ge=1, description="channels that the multipliers multiply")
    multipliers: list[Count] = mk.Field(
        [1, 1, 1], min_length=1, description="width at the entry and after each factor"
    )
    factors: list[Count] = mk.Field(
        [2, 2], description="how many times each strided convolution shortens the sequence"
    )
    blocks: list[Copies] = mk.Field([4, 8], description="ResNet blocks after each factor")
    groups: int = mk.Field(8, ge=1, description="groups of the ResNet's group norms")
    latent_channels: int = mk.Field(32, ge=1, description="channels of the latent")
    bottleneck: Literal["tanh", "none"] = mk.Field(
        "tanh", description="tanh keeps the latent between -1 and 1"
    )
    final_norm: bool = mk.Field(
        False,
        description="a group norm before the latent: with large strides of learning, tanh's input "
        "grows without it; the paper has none",
    )

    @model_validator(mode="after")
    def _floors_agree(self) -> Self:
        floors = len(self.factors)
        if len(self.blocks) != floors or len(self.multipliers) != floors + 1:
            raise ValueError(
                "blocks must be as many as factors, and multipliers one more (they have "
                f"factors {floors}, blocks {len(self.blocks)}, multipliers {len(self.multipliers)})"
            )
        if odd := [width for width in self.widths[1:] if width % self.groups]:
            raise ValueError(
                f"channels times multipliers must be multiples of groups, {self.groups} "
                f"(got {odd[0]})"
            )
        return self

    @property
    def widths(self) -> list[int]:
        """Return the channels at the entry and after each factor."""
        return [self.channels * multiplier for multiplier in self.multipliers]


class ConvEncoder(nn.Module):
    """A ResNet block to enter, floors of strided convolution and ResNet blocks, and a way out."""

    def __init__(self, options: ConvEncoderOptions, inputs: int) -> None:
        super().__init__()
        channels, groups = options.widths, options.groups
        self.enter = ResNetBlock(inputs, channels[0], groups=1)
        self.floors = nn.ModuleList(
            DownBlock(before, after, factor=factor, blocks=count, groups=groups)
            for before, after, factor, count in zip(
                channels[:-1], channels[1:], options.factors, options.blocks, strict=True
            )
        )
        self.norm = nn.GroupNorm(groups, channels[-1]) if options.final_norm else None
        self.leave = Convolution(channels[-1], options.latent_channels, 1)
        with torch.no_grad():  # start where tanh still has a slope: spectra in decibels are large
            self.leave.weight.mul_(0.1)

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
