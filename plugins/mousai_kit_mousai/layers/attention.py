"""Attention over frames and over a text. b batch, t time, n memory, c and d features, h heads."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import mousai_kit.api as mk
from mousai_kit_mousai.layers.conditioning import Conditions, TextMemory, mask_to_zero
from mousai_kit_mousai.layers.layout import layer_norm
from mousai_kit_mousai.layers.linear import Linear
from mousai_kit_mousai.layers.packing import Packable


class Attention(Packable):
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
        self, x: Tensor, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """Add to x [b, t, c] what its queries find; `mask` [b, 1, 1, n] says where they look."""
        found = mk.attention(queries.to(keys.dtype), keys, values, mask).transpose(1, 2).flatten(2)
        return self.leave(found, x)

    def query_weights(self) -> tuple[Tensor, Tensor]:
        """Return the weight and the bias that make queries of normalised frames."""
        return _fold_norm(self.norm, self.queries)

    def key_value_weights(self) -> tuple[Tensor, Tensor]:
        """Return the weight and the bias that make keys and values of a normalised memory."""
        return _fold_norm(self.norm_memory, self.keys_values)

    def heads(self, x: Tensor) -> Tensor:
        """Split [b, n, h * head features] into [b, h, n, head features]."""
        return x.unflatten(2, (-1, self.head_features)).transpose(1, 2)


class SelfAttention(Attention):
    """Every frame looks at every frame."""

    def __init__(self, features: int, *, heads: int, head_features: int) -> None:
        super().__init__(features, features, heads=heads, head_features=head_features)

    def forward(self, x: Tensor, conditions: Conditions) -> Tensor:
        """Map x [b, t, c] to [b, t, c]."""
        three = self.project(
            layer_norm(x), self._qkv_weights, owned=(self.queries.weight, self.keys_values.weight)
        )
        return self.attend(x, *map(self.heads, three.chunk(3, dim=2)))

    def _qkv_weights(self) -> tuple[Tensor, Tensor]:
        """Return the weight and the bias that make queries, keys and values."""
        weights, biases = zip(self.query_weights(), self.key_value_weights(), strict=True)
        return torch.cat(weights), torch.cat(biases)


class CrossAttention(Attention):
    """Every frame looks at the text's tokens; a masked token has no influence at all."""

    def forward(self, x: Tensor, conditions: Conditions) -> Tensor:
        """Map x [b, t, c] to [b, t, c]."""
        read = conditions.fixed.keep(self, lambda: self._keys_and_values(conditions.memory()))
        queries = self.project(layer_norm(x), self.query_weights, owned=(self.queries.weight,))
        return self.attend(x, self.heads(queries), *read)

    def _keys_and_values(self, memory: TextMemory) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return keys, values (zero for what is hidden) and where a softmax looks."""
        both = self.project(memory.tokens, self.key_value_weights, owned=(self.keys_values.weight,))
        keys, values = map(self.heads, both.chunk(2, dim=2))
        mask = memory.visible()
        if mask is not None and self.packing is not None:
            mask = _additive_mask(mask, keys.dtype)
        return keys, mask_to_zero(values, memory.hidden, (1, 3)), mask


def _fold_norm(norm: nn.LayerNorm, layer: nn.Linear) -> tuple[Tensor, Tensor]:
    """Return the weight and the bias of a layer and what its norm learned, in one."""
    return layer.weight * norm.weight, layer.weight @ norm.bias


def _additive_mask(visible: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a mask in the form that need not be converted at every use."""
    return torch.zeros(visible.shape, dtype=dtype).masked_fill_(~visible, -torch.inf)
