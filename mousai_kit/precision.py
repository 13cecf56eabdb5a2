"""Precision: in which floating-point type a network computes; its weights stay in fp32."""

from __future__ import annotations

from typing import Literal

import torch

Precision = Literal["fp32", "bf16", "fp16"]
_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Return the context in which a recipe's `precision` holds."""
    lower = _TYPES.get(precision)
    return torch.autocast(device.type, lower or torch.bfloat16, enabled=lower is not None)
