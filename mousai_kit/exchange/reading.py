"""Reading another project's state dict: tensors only, never code."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from mousai_kit.errors import Problem, WeightsError, first_line

NESTED = ("ema", "ema_state_dict", "state_dict", "model_state_dict", "model", "module", "net")
"""Under which keys trainers save a state dict; averaged weights come first."""


def state_dict(path: Path, origin: str) -> dict[str, Tensor]:
    """Return the tensors of a safetensors or torch file by name, on the CPU.

    WeightsError, in which the file is called `origin`, where it holds none or is broken.
    """
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise _broken(origin, error) from None
    tensors = _tensors(_loaded(path, origin))
    if not tensors:
        raise WeightsError(Problem(origin, "", "holds no state dict: no tensors by name"))
    return tensors


def outlines(path: Path, origin: str) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file by name, on the meta device: only shapes are read.

    WeightsError, in which the file is called `origin`, where it is broken.
    """
    try:
        with safe_open(path, framework="pt") as file:
            shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise _broken(origin, error) from None
    return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}


def _loaded(path: Path, origin: str) -> Any:
    """Return what a torch file holds, if that is data alone."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "weights_only" not in str(error).lower() and "unsupported" not in str(error).lower():
            raise _broken(origin, error) from None
        raise WeightsError(
            Problem(
                origin,
                "",
                "holds more than tensors, which could run code, and is not read; "
                "save its state_dict() alone",
            )
        ) from None
    except Exception as error:  # a file may be broken in any way
        raise _broken(origin, error) from None


def _tensors(value: Any) -> dict[str, Tensor]:
    """Return the state dict in what a trainer saved, empty where there is none."""
    if not isinstance(value, Mapping):
        return {}
    for key in NESTED:
        if isinstance(value.get(key), Mapping) and (found := _tensors(value[key])):
            return found
    return {str(name): it for name, it in value.items() if isinstance(it, Tensor)}


def _broken(origin: str, error: Exception) -> WeightsError:
    return WeightsError(Problem(origin, "", f"is broken or cut short ({first_line(error)})"))
