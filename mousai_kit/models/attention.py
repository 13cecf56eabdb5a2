"""Attention, fused where that is fast. b batch, h heads, t queries, n keys, d head features."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def attention(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    """Return softmax(queries keys^T / sqrt(d)) values [b, h, t, d], of each [b, h, t or n, d].

    `mask` (bool, broadcast to [b, h, t, n]) is true where a query may look.

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
