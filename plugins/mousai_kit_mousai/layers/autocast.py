"""Where precision must not be lowered, though a recipe lowers it elsewhere."""

from __future__ import annotations

import torch


def without_autocast(device: torch.device) -> torch.autocast:
    """Return a context in which layers compute in the types that they are given."""
    known = torch.amp.is_autocast_available(device.type)
    return torch.autocast(device.type if known else "cpu", enabled=False)
