"""Devices: which one a recipe's `device` means here.

Precision: in which floating-point type a network computes; its weights stay in fp32.
"""

from __future__ import annotations

import torch

from mousai_kit.core.errors import RequestError
from mousai_kit.recipe.train_options import Precision


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


_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """Return the context in which a recipe's `precision` holds."""
    lower = _TYPES.get(precision)
    return torch.autocast(device.type, lower or torch.bfloat16, enabled=lower is not None)


def autocast_to_play(device: torch.device, precision: Precision) -> torch.autocast:
    """Return the context in which a network plays: fp32 where the device has no lower products.

    A CPU, or an older GPU, computes them all the same, several times slower.
    """
    return autocast(device, precision if _has_products(device, precision) else "fp32")


def _has_products(device: torch.device, precision: Precision) -> bool:
    """Tell whether a device has instructions for products in a precision."""
    if device.type == "cpu" and precision != "fp32":
        names = torch.cpu.get_capabilities()
        return any(there for name, there in names.items() if name.endswith(precision))
    if device.type == "cuda" and precision == "bf16":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "mps" and precision == "bf16":
        return torch.backends.mps.is_macos_or_newer(14, 0)
    return True


def without_autocast(device: torch.device) -> torch.autocast:
    """Return a context in which layers compute in the types that they are given."""
    known = torch.amp.is_autocast_available(device.type)
    return torch.autocast(device.type if known else "cpu", enabled=False)
