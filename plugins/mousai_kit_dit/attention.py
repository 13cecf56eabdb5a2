"""Attention of frames to each other, and to a text.

Legend: b batch, t frames, n tokens of the text, c features of a frame, h heads, d features of one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mousai_kit.api as mk
from mousai_kit_dit.rotary import Rotary


class RotarySelfAttention(nn.Module):
    """Every frame looks at every frame, as near or far as it is."""

    def __init__(self, features: int, *, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.enter = nn.Linear(features, 3 * features, bias=False)
        self.leave = nn.Linear(features, features, bias=False)
        self.norms = nn.ModuleList(_norm(features // heads) for _ in range(2))

    def forward(self, x: Tensor, rotary: Rotary) -> Tensor:
        """Map normalised frames x [b, t, c] to [b, t, c]."""
        queries, keys, values = (
            _split_heads(part, self.heads) for part in self.enter(x).chunk(3, dim=2)
        )
        queries, keys = (
            rotary.rotate(norm(features)).to(values.dtype)
            for norm, features in zip(self.norms, (queries, keys), strict=True)
        )
        return self.leave(_merge(mk.attention(queries, keys, values, None)))


@dataclass(frozen=True, slots=True)
class CrossMemory:
    """A text as a block reads it: keys, values [b, h, n, d], and where to look [b, 1, 1, n]."""

    keys: Tensor
    values: Tensor
    visible: Tensor


class TextProjection(nn.Module):
    """Brings a text's tokens to the features of a frame, behind one that stands for nothing.

    So a text of which nothing is real can be looked at too.
    """

    def __init__(self, text_features: int, features: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(text_features)
        self.enter = nn.Linear(text_features, features)
        self.nothing = nn.Parameter(torch.randn(features))

    def forward(self, text: mk.TextEmbedding) -> tuple[Tensor, Tensor]:
        """Return tokens [b, 1 + n, c] and which of them are real [b, 1 + n]."""
        known = self.enter(self.norm(text.embedding.masked_fill(~text.mask[..., None], 0)))
        nothing = self.nothing.to(known.dtype).expand(len(text), 1, -1)
        return torch.cat([nothing, known], dim=1), F.pad(text.mask, (1, 0), value=True)


class Summary(nn.Module):
    """What a text's real tokens say on average, in the features of a frame; 0 before training."""

    def __init__(self, text_features: int, features: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(text_features)
        self.enter = nn.Linear(text_features, features)
        nn.init.zeros_(self.enter.weight)
        nn.init.zeros_(self.enter.bias)

    def forward(self, text: mk.TextEmbedding) -> Tensor:
        """Return a summary [b, c]; of a text of which nothing is real, what zeros say."""
        real = text.mask[..., None]
        total = text.embedding.masked_fill(~real, 0).sum(1)
        return self.enter(self.norm(total / real.sum(1).clamp(min=1)))


class TextCrossAttention(nn.Module):
    """Every frame looks at the text's tokens."""

    def __init__(self, features: int, *, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(features)
        self.enter = nn.Linear(features, features, bias=False)
        self.read = nn.Linear(features, 2 * features, bias=False)
        self.leave = nn.Linear(features, features, bias=False)
        self.norms = nn.ModuleList(_norm(features // heads) for _ in range(2))
        nn.init.zeros_(self.leave.weight)

    def memory(self, tokens: Tensor, visible: Tensor) -> CrossMemory:
        """Return what is read of tokens [b, n, c], those in `visible` [b, n] alone being real."""
        keys, values = (
            _split_heads(part, self.heads) for part in self.read(tokens).chunk(2, dim=2)
        )
        return CrossMemory(self.norms[1](keys).to(values.dtype), values, visible[:, None, None])

    def forward(self, x: Tensor, memory: CrossMemory) -> Tensor:
        """Map x [b, t, c] to [b, t, c]."""
        queries = self.norms[0](_split_heads(self.enter(self.norm(x)), self.heads))
        keys, values = memory.keys, memory.values
        looked = mk.attention(queries.to(keys.dtype), keys, values, memory.visible)
        return self.leave(_merge(looked))


def _norm(features: int) -> nn.LayerNorm:
    """Return the norm of queries or keys, which keeps their products bounded (arXiv 2302.05442)."""
    return nn.LayerNorm(features, bias=False)


def _split_heads(x: Tensor, heads: int) -> Tensor:
    """Return [b, h, t, d] of [b, t, h * d]."""
    return x.unflatten(2, (heads, -1)).transpose(1, 2)


def _merge(x: Tensor) -> Tensor:
    """Return [b, t, h * d] of [b, h, t, d]."""
    return x.transpose(1, 2).flatten(2)
