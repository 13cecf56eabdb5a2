"""Checkpoints: safetensors files, written whole or not at all, checked when loaded."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from mousai_kit import __version__
from mousai_kit.errors import Problem, WeightsError, listed

FORMAT = "mousai-kit 1"
PLAIN = ("format", "version", "digest")
"""What a header says of every file, in plain words; the rest is JSON."""


def write(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> str:
    """Write tensors with a header of JSON values; return the tensors' digest, also in the header.

    The file appears under its name when it is complete and on the disk, not before.
    """
    compact = {name: it.detach().to("cpu", copy=True).contiguous() for name, it in tensors.items()}
    found = digest(compact)
    texts = {"format": FORMAT, "version": __version__, "digest": found}
    texts |= {name: json.dumps(value) for name, value in header.items()}
    write_bytes(path, save(compact, metadata=texts))
    return found


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically: beside it, synced, then renamed."""
    temporary = path.with_name(f".{path.name}.part")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise WeightsError(
            Problem(
                str(path), "", f"can't be written ({error.strerror}); free some space or use --out"
            )
        ) from None
    finally:
        with suppress(OSError):
            temporary.unlink()


def header(path: Path) -> dict[str, Any]:
    """Return a checkpoint's header; WeightsError where it is missing, cut short or not ours."""
    try:
        with safe_open(path, framework="pt") as file:
            texts = file.metadata() or {}
    except FileNotFoundError:
        raise WeightsError(Problem(str(path), "", "is missing; train it with `run`")) from None
    except (SafetensorError, OSError) as error:
        told = " ".join(str(error).split())
        raise WeightsError(
            Problem(str(path), "", f"is broken or cut short ({told}); delete it and `run` again")
        ) from None
    if texts.get("format") != FORMAT:
        raise WeightsError(Problem(str(path), "", "holds no weights of mousai-kit's"))
    try:
        return {key: text if key in PLAIN else json.loads(text) for key, text in texts.items()}
    except ValueError:
        raise WeightsError(
            Problem(str(path), "", "has a broken header; delete it and `run` again")
        ) from None


def is_ours(path: Path) -> bool:
    """Return whether a file is a checkpoint of ours."""
    try:
        return bool(header(path))
    except WeightsError:
        return False


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return a checkpoint's tensors and its header."""
    found = header(path)
    return load_file(path), found


def load_into(module: nn.Module, tensors: Mapping[str, Tensor], *, origin: str) -> None:
    """Load weights into a module; WeightsError names what does not fit."""
    state = module.state_dict()
    faults = [
        f"lacks {_some(sorted(state.keys() - tensors.keys()))}",
        f"has {_some(sorted(tensors.keys() - state.keys()))} too many",
        f"has another shape for {_some(_reshaped(state, tensors))}",
    ]
    present = [fault for fault in faults if "''" not in fault]
    if present:
        raise WeightsError(Problem(origin, "", f"fits another model: {'; '.join(present)}"))
    module.load_state_dict(dict(tensors), strict=True)


def _reshaped(state: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> list[str]:
    """Return tensors whose shape differs, of those that have one."""
    shared = sorted(state.keys() & tensors.keys())
    return [
        name
        for name in shared
        if not of_any_shape(name) and state[name].shape != tensors[name].shape
    ]


def of_any_shape(name: str) -> bool:
    """Whether a tensor of a state dict is extra state (a tokenizer, say), of whatever length."""
    return name.endswith("_extra_state")


def _some(names: list[str]) -> str:
    """Return up to three names, quoted, and how many more there are."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return listed(names[:3] or [""]) + more


def digest(tensors: Mapping[str, Tensor]) -> str:
    """Return 16 hex digits that stand for the tensors' names and contents."""
    total = sha256()
    for name in sorted(tensors):
        total.update(name.encode())
        total.update(tensors[name].reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()[:16]
