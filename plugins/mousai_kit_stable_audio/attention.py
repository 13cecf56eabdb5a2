"""Attention of Stable Audio's transformer: of frames to each other, and to what they are told.

Legend: b batch, t frames, n tokens, f features of a frame, h heads, d features of one.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

import mousai_kit.api as mk

BASE = 10_000.0
"""Frames in which the slowest pair of features makes a turn, over 2 pi."""


class Turns(NamedTuple):
    """The turns of t frames: `cos` and `sin` [t, r], an angle for each pair that turns."""

    cos: Tensor
    sin: Tensor

    @classmethod
    def over(cls, frames: int, features: int, *, device: torch.device) -> Turns:
        """Return the turns of frames 0, 1, ... of which `features` of a head turn in pairs."""
        pairs = torch.arange(0, features, 2, device=device) / features
        angle = torch.arange(frames, device=device)[:, None] / BASE**pairs
        return cls(angle.cos(), angle.sin())

    def rotate(self, x: Tensor) -> Tensor:
        """Turn the first 2 r features of x [b, h, t, d]; the others stay (arXiv 2104.09864)."""
        pairs = self.cos.shape[1]
        one, other, rest = x.float().split([pairs, pairs, x.shape[3] - 2 * pairs], dim=3)
        turned = [one * self.cos - other * self.sin, one * self.sin + other * self.cos, rest]
        return torch.cat(turned, dim=3).to(x.dtype)


class PartlyRotarySelfAttention(nn.Module):
    """Every frame looks at every frame, as near or far as it is."""

    def __init__(self, features: int, *, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.queries, self.keys, self.values, self.leave = (
            nn.Linear(features, features, bias=False) for _ in range(4)
        )

    def forward(self, x: Tensor, turns: Turns) -> Tensor:
        """Map normalised frames x [b, t, f] to [b, t, f]."""
        queries, keys, values = (
            _split_heads(layer(x), self.heads) for layer in (self.queries, self.keys, self.values)
        )
        looked = mk.attention(turns.rotate(queries), turns.rotate(keys), values, None)
        return self.leave(_merge(looked))


class Memory(NamedTuple):
    """What a block reads of tokens: keys and values [b, h, n, d]."""

    keys: Tensor
    values: Tensor


class GroupedCrossAttention(nn.Module):
    """Every frame looks at tokens, with fewer heads of keys and values than of queries.

    Groups of queries share them (Ainslie et al., 2023, arXiv 2305.13245). Nothing is masked: a
    token of zeros has keys and values of 0, and takes its share of the attention.
    """

    def __init__(self, features: int, told: int, *, heads: int, shared_heads: int) -> None:
        super().__init__()
        self.heads, self.shared_heads = heads, shared_heads
        size = features // heads * shared_heads
        self.queries = nn.Linear(features, features, bias=False)
        self.keys, self.values = (nn.Linear(told, size, bias=False) for _ in range(2))
        self.leave = nn.Linear(features, features, bias=False)

    def memory(self, tokens: Tensor) -> Memory:
        """Return what is read of tokens [b, n, told]."""
        each = self.heads // self.shared_heads
        keys, values = (
            _split_heads(layer(tokens), self.shared_heads).repeat_interleave(each, dim=1)
            for layer in (self.keys, self.values)
        )
        return Memory(keys, values)

    def forward(self, x: Tensor, memory: Memory) -> Tensor:
        """Map normalised frames x [b, t, f] to [b, t, f]."""
        queries = _split_heads(self.queries(x), self.heads).to(memory.keys.dtype)
        return self.leave(_merge(mk.attention(queries, memory.keys, memory.values, None)))


def _split_heads(x: Tensor, heads: int) -> Tensor:
    """Return [b, h, t, d] of [b, t, h * d]."""
    return x.unflatten(2, (heads, -1)).transpose(1, 2)


def _merge(x: Tensor) -> Tensor:
    """Return [b, t, h * d] of [b, h, t, d]."""
    return x.transpose(1, 2).flatten(2)
