"""T5's encoder as a network: a fresh one of any size.

Legend: b texts, n tokens, d features.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from pydantic import ValidationInfo, field_validator
from torch import Tensor, nn
from torch.nn import functional

import mousai_kit.api as mk

DISTANCES = 32
"""Groups of distances between tokens, each with a bias of its own."""
FARTHEST = 128
"""Distance beyond which all are one group."""
EPSILON = 1e-6
"""Added to the mean square that an embedding is divided by."""


class T5ScratchOptions(mk.Options):
    """Options of `text: t5-scratch`. A few thousand captions don't fill T5-base."""

    features: int = mk.Field(256, gt=0, description="size of an embedding (T5-base: 768)")
    layers: int = mk.Field(4, gt=0, description="layers (T5-base: 12)")
    heads: int = mk.Field(4, gt=0, description="attention heads; divides features (T5-base: 12)")
    feed_forward: int = mk.Field(1024, gt=0, description="inner features (T5-base: 3072)")
    dropout: float = mk.Field(
        0.0, ge=0, lt=1, description="dropout; 0 makes training repeatable (T5-base: 0.1)"
    )
    vocabulary: int = mk.Field(4096, ge=512, description="most tokens (T5-base: 32128)")
    tokens: int = mk.Field(64, ge=2, le=512, description="tokens a text is padded or cut to")

    @field_validator("heads")
    @classmethod
    def _divides(cls, heads: int, info: ValidationInfo) -> int:
        features = info.data.get("features", heads)
        if features % heads:
            raise ValueError(f"must divide features, {features} (got {heads})")
        return heads


class T5Attention(nn.Module):
    """Self-attention whose scores are not scaled; the first block's has the distances' biases."""

    def __init__(self, features: int, heads: int, *, dropout: float, has_biases: bool) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        deviations = {"q": heads**0.5 / features, **dict.fromkeys("kvo", features**-0.5)}
        for name, deviation in deviations.items():
            setattr(self, name, _linear(features, features, deviation))
        if has_biases:
            self.relative_attention_bias = nn.Embedding(DISTANCES, heads)
            nn.init.normal_(self.relative_attention_bias.weight, std=features**-0.5)

    def biases(self, count: int) -> Tensor:
        """Return the bias [1, heads, n, n] between each two of so many tokens."""
        bias: Tensor = self.relative_attention_bias(
            _distance_groups(count, self.relative_attention_bias.weight.device)
        )
        return bias.permute(2, 0, 1)[None]

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """Return what each token [b, n, d] takes from all, `bias` [b, heads, n, n] added."""
        q, k, v = (
            getattr(self, name)(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for name in "qkv"
        )
        taken = functional.scaled_dot_product_attention(
            q, k, v, bias.to(q.dtype), self.dropout if self.training else 0.0, scale=1.0
        )
        result: Tensor = cast("nn.Linear", self.o)(taken.transpose(1, 2).flatten(2))
        return result


class T5Block(nn.Module):
    """A layer of T5: attention, then two linear maps with a ReLU between, both added to x."""

    def __init__(self, options: T5ScratchOptions, *, first: bool) -> None:
        super().__init__()
        features, inner = options.features, options.feed_forward
        attention = T5Attention(features, options.heads, dropout=options.dropout, has_biases=first)
        dense = nn.ModuleDict(
            {
                "wi": _linear(features, inner, features**-0.5),
                "wo": _linear(inner, features, inner**-0.5),
            }
        )
        parts = [("SelfAttention", attention), ("DenseReluDense", dense)]
        self.layer = nn.ModuleList(
            nn.ModuleDict({name: part, "layer_norm": nn.RMSNorm(features, EPSILON)})
            for name, part in parts
        )
        self.dropout = nn.Dropout(options.dropout)

    @property
    def attention(self) -> T5Attention:
        """Return its attention."""
        return cast("T5Attention", self.layer[0]["SelfAttention"])  # type: ignore[index]

    def forward(self, x: Tensor, mask: Tensor, bias: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return tokens [b, n, d] and the bias [b, heads, n, n] on the scores of attention.

        The first block makes it, of its biases and of which tokens are real, `mask` [b, n]; the
        others are given it.
        """
        if bias is None:
            bias = self.attention.biases(x.shape[1])
            bias = bias.masked_fill(~mask[:, None, None], torch.finfo(bias.dtype).min)
        attention, dense = cast("Sequence[Mapping[str, Any]]", self.layer)
        x = x + self.dropout(attention["SelfAttention"](attention["layer_norm"](x), bias))
        maps = dense["DenseReluDense"]
        inner = self.dropout(functional.relu(maps["wi"](dense["layer_norm"](x))))
        return x + self.dropout(maps["wo"](inner)), bias


class T5Network(nn.Module):
    """T5's encoder (Raffel et al., 2020), with its parameters' names and its initial weights.

    It computes what transformers' `T5EncoderModel` does, which takes seconds to import.
    """

    def __init__(self, options: T5ScratchOptions) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(options.vocabulary, options.features)
        blocks = (T5Block(options, first=layer == 0) for layer in range(options.layers))
        self.block = nn.ModuleList(blocks)
        self.final_layer_norm = nn.RMSNorm(options.features, EPSILON)
        self.dropout = nn.Dropout(options.dropout)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return the embeddings [b, n, d] of token ids [b, n], real where `mask` [b, n] is."""
        x = self.dropout(self.embed_tokens(ids))
        bias: Tensor | None = None
        for block in self.block:
            x, bias = block(x, mask, bias)
        result: Tensor = self.dropout(self.final_layer_norm(x))
        return result


def _linear(features: int, outputs: int, deviation: float) -> nn.Linear:
    """Return a linear map without bias, its weights drawn with a deviation."""
    layer = nn.Linear(features, outputs, bias=False)
    nn.init.normal_(layer.weight, std=deviation)
    return layer


def _distance_groups(count: int, device: torch.device) -> Tensor:
    """Return the group [n, n] of the distance from each of so many tokens to each.

    Before and after have half of the groups each: of these the first half for a distance each,
    the others for ranges that grow with the distance, up to `FARTHEST`.
    """
    places = torch.arange(count, device=device)
    offset = places[None] - places[:, None]
    side, distance = DISTANCES // 2, offset.abs()
    near = side // 2
    far = near + (distance / near).log() / math.log(FARTHEST / near) * (side - near)
    group = torch.where(distance < near, distance, far.long().clamp(max=side - 1))
    return group + side * (offset > 0)
