"""Oobleck: convolutions with snake activations between audio and a latent, there and back.

The autoencoder of Stable Audio (Evans et al., 2024, arXiv 2404.10301), after the Descript Audio
Codec's (Kumar et al., 2023, arXiv 2306.06546).

Legend: b batch, c channels, t samples of audio, l frames at some depth, n frames of the latent.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import prod, sqrt
from typing import Annotated, Self

import torch
import torch.nn.functional as F
from pydantic import model_validator
from torch import Tensor, nn

import mousai_kit.api as mk

DILATIONS = (1, 3, 9)
"""Those of the residual units of a depth, one after the other."""
CHANGE = 0.3
"""How much of a signal a residual unit changes before training: with PyTorch's usual weights a
signal is lost on its way through so many layers, and minutes of training do not find it again."""
LEAST = 1e-9
"""What keeps a snake's divisor from 0."""


class OobleckOptions(mk.Options):
    """What an Oobleck is made of; the defaults are Stable Audio Open's."""

    channels: int = mk.Field(128, ge=1, description="channels that the multipliers multiply")
    multipliers: list[Annotated[int, mk.Field(ge=1)]] = mk.Field(
        [1, 2, 4, 8, 16], min_length=1, description="width behind each factor"
    )
    factors: list[Annotated[int, mk.Field(ge=2)]] = mk.Field(
        [2, 4, 4, 8, 8],
        min_length=1,
        description="how many times each strided convolution shortens the sequence, from audio on",
    )

    @model_validator(mode="after")
    def _depths_agree(self) -> Self:
        if len(self.multipliers) != len(self.factors):
            raise ValueError(
                "multipliers must be as many as factors "
                f"(got {len(self.multipliers)} multipliers, {len(self.factors)} factors)"
            )
        return self

    @property
    def stride(self) -> int:
        """Return the samples of audio that are a frame of the latent."""
        return prod(self.factors)

    @property
    def widths(self) -> list[int]:
        """Return the channels where audio comes in, and behind each factor."""
        return [self.channels, *(self.channels * multiplier for multiplier in self.multipliers)]

    def depths(self) -> Iterator[tuple[int, int, int]]:
        """Yield (channels on audio's side, channels on the latent's, factor), from audio on."""
        for (outer, inner), factor in zip(pairwise(self.widths), self.factors, strict=True):
            yield outer, inner, factor


class OobleckEncoder(nn.Sequential):
    """Audio [b, c, t] becomes [b, outputs, n], with n = t / stride."""

    def __init__(self, options: OobleckOptions, *, inputs: int, outputs: int) -> None:
        layers: list[nn.Module] = [NormConvolution(inputs, options.channels, 7)]
        for outer, inner, factor in options.depths():
            layers += [*_residual_units(outer), Snake(outer), Shortening(outer, inner, factor)]
        deepest = options.widths[-1]
        super().__init__(*layers, Snake(deepest), NormConvolution(deepest, outputs, 3))


class OobleckDecoder(nn.Sequential):
    """A latent [b, inputs, n] becomes audio [b, outputs, t], with t = stride * n."""

    def __init__(self, options: OobleckOptions, *, inputs: int, outputs: int) -> None:
        layers: list[nn.Module] = [NormConvolution(inputs, options.widths[-1], 7)]
        for outer, inner, factor in reversed([*options.depths()]):
            layers += [Snake(inner), Lengthening(inner, outer, factor), *_residual_units(outer)]
        last = NormConvolution(options.channels, outputs, 7, bias=False)
        super().__init__(*layers, Snake(options.channels), last)


class Snake(nn.Module):
    """Snake: x + sin^2(a x) / b, for what repeats (Ziyin et al., 2020, arXiv 2006.08195).

    a and b are learned for each channel, as logarithms, as in BigVGAN (arXiv 2206.04658).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(1, channels, 1))
        self.beta = nn.Parameter(torch.zeros(1, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map x [b, c, l] to [b, c, l]."""
        return x + (self.alpha.exp() * x).sin().square() / (self.beta.exp() + LEAST)


class WeightNorm(nn.Module):
    """A weight as a length and a direction for each of its rows (Salimans & Kingma, 2016)."""

    def __init__(self, weight: Tensor, *, length: float) -> None:
        """Begin in the weight's directions, with one length for all rows."""
        super().__init__()
        self.direction = nn.Parameter(weight.detach().clone())
        self.length = nn.Parameter(torch.full((len(weight), 1, 1), length))

    def forward(self) -> Tensor:
        """Return the weight [rows, ..., ...]: length * direction / ||direction||."""
        norm = self.direction.norm(dim=(1, 2), keepdim=True)
        return self.direction * (self.length / norm)


class NormConvolution(nn.Module):
    """A convolution of odd size, which keeps the length of time, and at first that of a signal."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int,
        *,
        dilation: int = 1,
        bias: bool = True,
        length: float = 1.0,
    ) -> None:
        super().__init__()
        made = nn.Conv1d(inputs, outputs, size, bias=bias)
        self.weight = WeightNorm(made.weight, length=length)
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.dilation, self.padding = dilation, dilation * (size - 1) // 2

    def forward(self, x: Tensor) -> Tensor:
        """Map x [b, inputs, l] to [b, outputs, l]."""
        weight = self.weight()
        return F.conv1d(x, weight, self.bias, padding=self.padding, dilation=self.dilation)


class Shortening(nn.Module):
    """A strided convolution: a frame for each `factor` of them, twice as many being seen."""

    def __init__(self, inputs: int, outputs: int, factor: int) -> None:
        super().__init__()
        made = nn.Conv1d(inputs, outputs, 2 * factor)
        self.weight, self.factor = WeightNorm(made.weight, length=1.0), factor
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map x [b, inputs, l] to [b, outputs, l / factor]."""
        padding = -(-self.factor // 2)
        return F.conv1d(x, self.weight(), self.bias, stride=self.factor, padding=padding)


class Lengthening(nn.Module):
    """A transposed convolution: `factor` frames for each; an odd factor's last one is padding."""

    def __init__(self, inputs: int, outputs: int, factor: int) -> None:
        super().__init__()
        made = nn.ConvTranspose1d(inputs, outputs, 2 * factor)
        kept = sqrt(factor * outputs / inputs)  # a row is an input's, and two inputs make a frame
        self.weight, self.factor = WeightNorm(made.weight, length=kept), factor
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map x [b, inputs, l] to [b, outputs, l * factor]."""
        return F.conv_transpose1d(
            x,
            self.weight(),
            self.bias,
            stride=self.factor,
            padding=-(-self.factor // 2),
            output_padding=self.factor % 2,
        )


class ResidualUnit(nn.Module):
    """What seven frames, so far apart as the dilation, change in one of them."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.change = nn.Sequential(
            Snake(channels),
            NormConvolution(channels, channels, 7, dilation=dilation),
            Snake(channels),
            NormConvolution(channels, channels, 1, length=CHANGE),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map x [b, c, l] to [b, c, l]."""
        return x + self.change(x)


def _residual_units(channels: int) -> list[nn.Module]:
    return [ResidualUnit(channels, dilation) for dilation in DILATIONS]
