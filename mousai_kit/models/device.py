"""Devices: which one a recipe's `device` means here.

Precision: in which floating-point type a network computes; its weights stay in fp32.
"""

from __future__ import annotations

from typing import Literal

import torch

from mousai_kit.core.errors import RequestError


def resolve_device(name: str) -> torch.device:
    """Return the device called `name`; `auto` is CUDA, else Apple's MPS, else the CPU."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise RequestError("device: this torch finds no CUDA GPU here; use `device: auto`")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise RequestError(f"device: there is no GPU {device.index}; this machine has {count}")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise RequestError("device: this torch finds no Apple GPU here; use `device: auto`")
    return device


Precision = Literal["fp32", "bf16", "fp16"]
_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Return the context in which a recipe's `precision` holds."""
    lower = _TYPES.get(precision)
    return torch.autocast(device.type, lower or torch.bfloat16, enabled=lower is not None)


def without_autocast(device: torch.device) -> torch.autocast:
    """Return a context in which layers compute in the types that they are given."""
    known = torch.amp.is_autocast_available(device.type)
    return torch.autocast(device.type if known else "cpu", enabled=False)
