"""A block of the transformer: frames look at each other and at the text, then each is thought over.

Legend: b batch, t frames, c features of a frame.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from mousai_kit_dit.attention import CrossMemory, RotarySelfAttention, TextCrossAttention
from mousai_kit_dit.modulation import Modulation, modulate
from mousai_kit_dit.rotary import Rotary


class Block(nn.Module):
    """Self-attention, attention to the text if there is one, and a gated feed-forward network.

    Each adds to what came in, by gates and weights that are 0 before training.
    """

    NUM_MODULATION = 6
    """Vectors of the noise level that a block follows: a scale, a shift and a gate, twice."""

    def __init__(self, features: int, *, heads: int, inner: int, text: bool) -> None:
        super().__init__()
        self.attention = RotarySelfAttention(features, heads=heads)
        self.reading = TextCrossAttention(features, heads=heads) if text else None
        self.enter = nn.Linear(features, 2 * inner, bias=False)
        self.leave = nn.Linear(inner, features, bias=False)

    def forward(
        self, x: Tensor, modulation: Modulation, rotary: Rotary, memory: CrossMemory | None
    ) -> Tensor:
        """Map x [b, t, c] to [b, t, c]."""
        scale, shift, gate, scale_later, shift_later, gate_later = modulation
        x = x + gate * self.attention(modulate(x, scale, shift), rotary)
        if self.reading is not None and memory is not None:
            x = x + self.reading(x, memory)
        open_gate, value = self.enter(modulate(x, scale_later, shift_later)).chunk(2, dim=2)
        return x + gate_later * self.leave(F.silu(open_gate) * value)
