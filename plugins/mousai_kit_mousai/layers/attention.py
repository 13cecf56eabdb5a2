"""Attention over frames and over a text. b batch, t time, n memory, c and d features, h heads."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mousai_kit_mousai.layers.conditions import Conditions
from mousai_kit_mousai.layers.packing import Packing
from mousai_kit_mousai.layers.products import Linear


class Attention(nn.Module):
    """Multi-head attention from frames to a memory, both normalised first; adds what came in."""

    def __init__(
        self, features: int, memory_features: int, *, heads: int, head_features: int
    ) -> None:
        super().__init__()
        self.head_features = head_features
        inner = heads * head_features
        self.norm = nn.LayerNorm(features)
        self.norm_memory = nn.LayerNorm(memory_features)
        self.queries = Linear(features, inner, bias=False)
        self.keys_values = Linear(memory_features, 2 * inner, bias=False)
        self.leave = Linear(inner, features, bias=False)

    def read(self, memory: Tensor, packing: Packing | None) -> tuple[Tensor, Tensor]:
        """Return the keys and values, each [b, h, n, head features], of a memory [b, n, d]."""
        both = self.keys_values(self.norm_memory(memory), None, packing)
        keys, values = both.chunk(2, dim=2)
        return self._heads(keys), self._heads(values)

    def ask(self, x: Tensor, packing: Packing | None) -> Tensor:
        """Return the queries [b, h, t, head features] of frames [b, t, c]."""
        return self._heads(self.queries(self.norm(x), None, packing))

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
        found = attention(queries.to(keys.dtype), keys, values, mask).transpose(1, 2).flatten(2)
        result: Tensor = self.leave(found, x, packing)
        return result

    def _heads(self, x: Tensor) -> Tensor:
        """Split [b, n, h * head features] into [b, h, n, head features]."""
        return x.unflatten(2, (-1, self.head_features)).transpose(1, 2)


class SelfAttention(Attention):
    """Every frame looks at every frame."""

    def __init__(self, features: int, *, heads: int, head_features: int) -> None:
        super().__init__(features, features, heads=heads, head_features=head_features)

    def forward(self, x: Tensor, conditions: Conditions) -> Tensor:
        """Map x [b, t, c] to [b, t, c]."""
        packing = conditions.fixed.packing
        if packing is None:
            return self.attend(x, self.ask(x, None), *self.read(x, None), None, None)
        normal = F.layer_norm(x, self.norm.normalized_shape, eps=self.norm.eps)
        three = packing.linear((self, "all"), normal, self._in_one, None)
        return self.attend(x, *map(self._heads, three.chunk(3, dim=2)), None, packing)

    def _in_one(self) -> tuple[Tensor, Tensor]:
        """Return one weight and bias for queries, keys and values, with what the norms learned."""
        parts = [(self.queries, self.norm), (self.keys_values, self.norm_memory)]
        weights = [layer.weight * norm.weight for layer, norm in parts]
        return torch.cat(weights), torch.cat([layer.weight @ norm.bias for layer, norm in parts])


class CrossAttention(Attention):
    """Every frame looks at the text's tokens; a masked token has no influence at all."""

    def forward(self, x: Tensor, conditions: Conditions) -> Tensor:
        """Map x [b, t, c] to [b, t, c]."""
        packing = conditions.fixed.packing
        read = conditions.fixed.keep(self, lambda: self._read_text(conditions))
        return self.attend(x, self.ask(x, packing), *read, packing)

    def _read_text(self, conditions: Conditions) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return keys, values and a mask.

        A softmax over nothing is not a number, so a text without any token is looked at
        everywhere, and its values are zero.
        """
        text, packing = conditions.text(), conditions.fixed.packing
        hidden = ~text.mask
        embedding = text.embedding.masked_fill(hidden[:, :, None], 0)
        keys, values = self.read(embedding, packing)
        visible = (text.mask | hidden.all(dim=1, keepdim=True))[:, None, None, :]
        return (
            keys,
            values.masked_fill(hidden[:, None, :, None], 0),
            visible if packing is None else _added(visible, keys.dtype),
        )


def _added(visible: Tensor, dtype: torch.dtype) -> Tensor | None:
    """Return a mask in the form that need not be converted at every use, None if all is seen."""
    if bool(visible.all()):
        return None
    return torch.zeros(visible.shape, dtype=dtype).masked_fill_(~visible, -torch.inf)


def attention(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    """Return softmax(queries keys^T / sqrt(head features)) values, each [b, h, t or n, ...].

    PyTorch's fused form, except where bfloat16 is trained on a CPU: there its backward pass is up
    to eight times slower than this on 64 to 256 frames (torch 2.13), and faster from about 1,000.
    """
    slow = queries.dtype == torch.bfloat16 and queries.device.type == "cpu"
    if not (slow and queries.requires_grad):
        return F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
    scores = (queries * queries.shape[3] ** -0.5) @ keys.transpose(2, 3)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return scores.softmax(dim=3) @ values
