"""Latent injection: the context joins the channels. b batch, c channels, t time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mousai_kit_mousai.layers.conditions import Conditions


class Injection(nn.Module):
    """Mix the context's channels with x's, frame by frame, and add x."""

    def __init__(self, channels: int, context_channels: int) -> None:
        super().__init__()
        self.mix = nn.Linear(channels + context_channels, channels)

    def forward(self, x: Tensor, conditions: Conditions) -> Tensor:
        """Map x [b, t, c] to [b, t, c]."""
        context = conditions.context(x.shape[1]).transpose(1, 2)
        return x + self.mix(torch.cat([x, context], dim=2))
