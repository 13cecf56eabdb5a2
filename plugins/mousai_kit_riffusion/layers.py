"""Layers of the U-Net of pictures.

Legend: b batch, c channels, h and w height and width, n tokens of a text, d features of a token or
of a head, e features of the noise level, i heads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mousai_kit.api as mk

WAVES = 64
"""Sines and cosines that a noise level becomes."""
FASTEST = 200.0
"""Turns of the fastest of them from level 0 to 1."""
Layer = TypeVar("Layer", bound=nn.Module)


def zero_weights(layer: Layer) -> Layer:
    """Set all weights of a layer to 0, so that it says nothing yet; return it."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


class LevelFeatures(nn.Module):
    """Features of a noise level: sines from slow to fast, then a network of two layers."""

    waves: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer(
            "waves", torch.linspace(log(0.25), log(FASTEST), WAVES).exp(), persistent=False
        )
        self.enter = nn.Linear(2 * WAVES, features)
        self.leave = nn.Linear(features, features)

    def forward(self, sigma: Tensor) -> Tensor:
        """Map noise levels [b] to features [b, e]."""
        angle = 2 * torch.pi * sigma[:, None] * self.waves
        return self.leave(F.silu(self.enter(torch.cat([angle.sin(), angle.cos()], 1))))


@dataclass(frozen=True, slots=True)
class TokenMemory:
    """A text as a block reads it: keys, values [b, i, n, d], and where to look [b, 1, 1, n]."""

    keys: Tensor
    values: Tensor
    visible: Tensor


class TextTokens(nn.Module):
    """A text's tokens behind one that stands for nothing, and what they say on average.

    So a text of which nothing is real can be looked at too.
    """

    def __init__(self, text_features: int, features: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(text_features)
        self.nothing = nn.Parameter(torch.randn(text_features))
        self.summary = zero_weights(nn.Linear(text_features, features))

    def forward(self, text: mk.TextEmbedding) -> tuple[Tensor, Tensor, Tensor]:
        """Return tokens [b, 1 + n, d], which of them are real [b, 1 + n], a summary [b, e]."""
        real = text.mask[..., None]
        known = self.norm(text.embedding.masked_fill(~real, 0))
        mean = known.masked_fill(~real, 0).sum(1) / real.sum(1).clamp(min=1)
        nothing = self.nothing.to(known.dtype).expand(len(text), 1, -1)
        visible = F.pad(text.mask, (1, 0), value=True)
        return torch.cat([nothing, known], 1), visible, self.summary(mean)


class PictureLevel(nn.Module):
    """A depth of the U-Net: blocks on the way down, and as many on the way up."""

    def __init__(
        self,
        *,
        channels: int,
        below: Sequence[int],
        blocks: int,
        attention: bool,
        text_features: int,
        heads: int,
        groups: int,
        features: int,
    ) -> None:
        super().__init__()

        def block(inputs: int) -> PictureBlock:
            return PictureBlock(
                inputs,
                channels,
                attention=attention,
                text_features=text_features,
                heads=heads,
                groups=groups,
                features=features,
            )

        self.down_blocks = nn.ModuleList(block(channels) for _ in range(blocks))
        joined = (2 * channels, *[channels] * (blocks - 1))
        self.up_blocks = nn.ModuleList(block(inputs) for inputs in joined)
        self.downsample: nn.Module | None = None
        self.upsample: nn.Module | None = None
        for width in below:
            self.downsample = nn.Conv2d(channels, width, 3, stride=2, padding=1)
            self.upsample = nn.Conv2d(width, channels, 3, padding=1)

    def memories(self, tokens: Tensor, visible: Tensor) -> list[TokenMemory]:
        """Return what each block, down and up, reads of tokens [b, n, d]; none that don't."""
        blocks = cast("list[PictureBlock]", [*self.down_blocks, *self.up_blocks])
        reading = (block.reading for block in blocks if block.reading is not None)
        return [layer.memory(tokens, visible) for layer in reading]

    def down(self, x: Tensor, level: Tensor, memories: Sequence[TokenMemory]) -> Tensor:
        """Map x [b, c, h, w] to [b, c, h, w]."""
        count = len(self.down_blocks)
        return _through(self.down_blocks, x, level, memories[:count])

    def shrink(self, x: Tensor) -> Tensor:
        """Return what the depth below sees of x, at half the height and width."""
        return x if self.downsample is None else self.downsample(x)

    def up(
        self, x: Tensor, around: Tensor, level: Tensor, memories: Sequence[TokenMemory]
    ) -> Tensor:
        """Map what the depth below made, and what went down, to [b, c, h, w]."""
        if self.upsample is not None:
            x = self.upsample(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        count = len(self.down_blocks)
        return _through(self.up_blocks, torch.cat([x, around], 1), level, memories[count:])


def _through(
    blocks: nn.ModuleList, x: Tensor, level: Tensor, memories: Sequence[TokenMemory]
) -> Tensor:
    """Map x through blocks, each with its own memory of the text, if there is one."""
    given: Sequence[TokenMemory | None] = memories or [None] * len(blocks)
    for block, memory in zip(blocks, given, strict=True):
        x = block(x, level, memory)
    return x


class PictureBlock(nn.Module):
    """Residual block of two convolutions, steered by the level; then attention where asked."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        attention: bool,
        text_features: int,
        heads: int,
        groups: int,
        features: int,
    ) -> None:
        super().__init__()
        self.first_norm = nn.GroupNorm(groups, inputs)
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.steer = nn.Linear(features, 2 * outputs)
        self.second_norm = nn.GroupNorm(groups, outputs)
        self.second = zero_weights(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.around = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        self.looking = PlaceAttention(outputs, heads=heads) if attention else None
        self.reading = TextAttention(outputs, text_features, heads=heads) if text_features else None

    def forward(self, x: Tensor, level: Tensor, memory: TokenMemory | None) -> Tensor:
        """Map x [b, inputs, h, w] to [b, outputs, h, w], at an activated level [b, e]."""
        scale, shift = self.steer(level)[:, :, None, None].chunk(2, 1)
        y = self.first(F.silu(self.first_norm(x)))
        y = F.silu(torch.addcmul(shift, self.second_norm(y), 1 + scale))
        x = self.around(x) + self.second(y)
        x = x if self.looking is None else self.looking(x)
        return x if self.reading is None or memory is None else self.reading(x, memory)


class PlaceAttention(nn.Module):
    """Every place of a picture looks at every other; adds what came in."""

    def __init__(self, channels: int, *, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(channels)
        self.enter = nn.Linear(channels, 3 * channels, bias=False)
        self.leave = zero_weights(nn.Linear(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map x [b, c, h, w] to [b, c, h, w]."""
        places = self.enter(self.norm(_places(x)))
        queries, keys, values = (_split_heads(part, self.heads) for part in places.chunk(3, 2))
        found = mk.attention(queries, keys, values, None)
        return x + _as_picture(self.leave(_merge(found)), x)


class TextAttention(nn.Module):
    """Every place of a picture looks at the text's tokens; adds what came in."""

    def __init__(self, channels: int, text_features: int, *, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(channels)
        self.enter = nn.Linear(channels, channels, bias=False)
        self.read = nn.Linear(text_features, 2 * channels, bias=False)
        self.leave = zero_weights(nn.Linear(channels, channels))

    def memory(self, tokens: Tensor, visible: Tensor) -> TokenMemory:
        """Return what is read of tokens [b, n, d], those in `visible` [b, n] alone being real."""
        keys, values = (_split_heads(part, self.heads) for part in self.read(tokens).chunk(2, 2))
        return TokenMemory(keys, values, visible[:, None, None])

    def forward(self, x: Tensor, memory: TokenMemory) -> Tensor:
        """Map x [b, c, h, w] to [b, c, h, w]."""
        queries = _split_heads(self.enter(self.norm(_places(x))), self.heads)
        found = mk.attention(
            queries.to(memory.keys.dtype), memory.keys, memory.values, memory.visible
        )
        return x + _as_picture(self.leave(_merge(found)), x)


def _places(x: Tensor) -> Tensor:
    """Return the places [b, h * w, c] of x [b, c, h, w]."""
    return x.flatten(2).transpose(1, 2)


def _as_picture(places: Tensor, x: Tensor) -> Tensor:
    """Return places [b, h * w, c] as a picture of x's height and width."""
    return places.transpose(1, 2).unflatten(2, x.shape[2:])


def _split_heads(x: Tensor, heads: int) -> Tensor:
    """Return [b, i, n, d] of [b, n, i * d]."""
    return x.unflatten(2, (heads, -1)).transpose(1, 2)


def _merge(x: Tensor) -> Tensor:
    """Return [b, n, i * d] of [b, i, n, d]."""
    return x.transpose(1, 2).flatten(2)
