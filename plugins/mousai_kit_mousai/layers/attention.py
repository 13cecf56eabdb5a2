"""Attention over frames and over a text. b batch, t time, n memory, c and d features, h heads."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import mousai_kit.api as mk
from mousai_kit_mousai.layers.conditions import Conditions
from mousai_kit_mousai.layers.frames import normalised
from mousai_kit_mousai.layers.memory import Memory, cleared
from mousai_kit_mousai.layers.packing import Packing, Weights
from mousai_kit_mousai.layers.products import Linear, linear


class Attention(nn.Module):
    """Multi-head attention from frames to a memory, both normalised first; adds what came in.

    What the norms learned is multiplied into the weights behind them: frames are then normalised
    once for all, and no gradient has to pass through a product to reach a norm.
    """

    def __init__(
        self, features: int, memory_features: int, *, heads: int, head_features: int
    ) -> None:
        super().__init__()
        self.head_features = head_features
        inner = heads * head_features
        self.norm = nn.LayerNorm(features)
        self.norm_memory = nn.LayerNorm(memory_features)
        self.queries = nn.Linear(features, inner, bias=False)
        self.keys_values = nn.Linear(memory_features, 2 * inner, bias=False)
        self.leave = Linear(inner, features, bias=False)

    def attend(
        self,
        x: Tensor,
        queries: Tensor,
        keys: Tensor,
        values: Tensor,
        mask: Tensor | None,
        packing: Packing | None,
    ) -> Tensor:
        """Add to x [b, t, c] what its queries find; `mask` [b, 1, 1, n] says where they look."""
        found = mk.attention(queries.to(keys.dtype), keys, values, mask).transpose(1, 2).flatten(2)
        result: Tensor = self.leave(found, x, packing)
        return result

    def asking(self) -> tuple[Tensor, Tensor]:
        """Return the weight and the bias that make queries of normalised frames."""
        return _behind(self.norm, self.queries)

    def answering(self) -> tuple[Tensor, Tensor]:
        """Return the weight and the bias that make keys and values of a normalised memory."""
        return _behind(self.norm_memory, self.keys_values)

    def heads(self, x: Tensor) -> Tensor:
        """Split [b, n, h * head features] into [b, h, n, head features]."""
        return x.unflatten(2, (-1, self.head_features)).transpose(1, 2)


class SelfAttention(Attention):
    """Every frame looks at every frame."""

    def __init__(self, features: int, *, heads: int, head_features: int) -> None:
        super().__init__(features, features, heads=heads, head_features=head_features)

    def forward(self, x: Tensor, conditions: Conditions) -> Tensor:
        """Map x [b, t, c] to [b, t, c]."""
        packing = conditions.fixed.packing
        weights = Weights(self._in_one, (self.queries.weight, self.keys_values.weight))
        three = linear((self, "in one"), normalised(x), weights, None, packing)
        queries, keys, values = map(self.heads, three.chunk(3, dim=2))
        return self.attend(x, queries, keys, values, None, packing)

    def _in_one(self) -> tuple[Tensor, Tensor]:
        """Return the weight and the bias that make queries, keys and values."""
        weights, biases = zip(self.asking(), self.answering(), strict=True)
        return torch.cat(weights), torch.cat(biases)


class CrossAttention(Attention):
    """Every frame looks at the text's tokens; a masked token has no influence at all."""

    def forward(self, x: Tensor, conditions: Conditions) -> Tensor:
        """Map x [b, t, c] to [b, t, c]."""
        fixed = conditions.fixed
        read = fixed.keep(self, lambda: self._read(conditions.memory(), fixed.packing))
        weights = Weights(self.asking, (self.queries.weight,))
        queries = linear((self, "asking"), normalised(x), weights, None, fixed.packing)
        return self.attend(x, self.heads(queries), *read, fixed.packing)

    def _read(
        self, memory: Memory, packing: Packing | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return keys, values (zero for what is hidden) and where a softmax looks."""
        weights = Weights(self.answering, (self.keys_values.weight,))
        both = linear((self, "answering"), memory.tokens, weights, None, packing)
        keys, values = map(self.heads, both.chunk(2, dim=2))
        mask = memory.visible()
        if mask is not None and packing is not None:
            mask = _added(mask, keys.dtype)
        return keys, cleared(values, memory.hidden, (1, 3)), mask


def _behind(norm: nn.LayerNorm, layer: nn.Linear) -> tuple[Tensor, Tensor]:
    """Return the weight and the bias of a layer and what its norm learned, in one."""
    return layer.weight * norm.weight, layer.weight @ norm.bias


def _added(visible: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a mask in the form that need not be converted at every use."""
    return torch.zeros(visible.shape, dtype=dtype).masked_fill_(~visible, -torch.inf)
