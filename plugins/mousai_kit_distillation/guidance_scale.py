"""The scale of guidance as an input of a network (Meng et al., 2023, section 3.1)."""

from __future__ import annotations

from math import pi

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WAVES = 8
"""Cosines that a scale is shown as."""
RANGE = 8.0
"""Doublings of 1 + scale over which they are told apart: scales to 255."""


class GuidanceScale(nn.Module):
    """Embeds scales of guidance as what is added to every token of a text; nothing, at first."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.enter = nn.Linear(WAVES + 1, 2 * features)
        self.leave = nn.Linear(2 * features, features)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, scale: Tensor) -> Tensor:
        """Return [b, features] for scales [b] of 0 or more."""
        place = (scale.float() + 1).log2()[:, None] / RANGE
        waves = torch.arange(1, WAVES + 1, device=scale.device)
        shown = torch.cat([place, (pi * waves * place).cos()], -1)
        shift: Tensor = self.leave(F.silu(self.enter(shown)))
        return shift
