"""Devices: which one a recipe's `device` means here."""

from __future__ import annotations

import torch

from mousai_kit.errors import RequestError


def resolve(name: str) -> torch.device:
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
