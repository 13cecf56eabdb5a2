"""Checkpoints: safetensors files, written whole or not at all, checked when loaded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from mousai_kit import __version__, durable, tensor_file
from mousai_kit.errors import Problem, WeightsError, listed

FORMAT = "mousai-kit 1"
PLAIN = ("format", "version", "digest")
"""What a header says of every file, in plain words; the rest is JSON."""
SEAL = "seal"
"""Names the digest of all of a header, so that one that was changed on the disk is noticed."""
_STEP = re.compile(r"step-(\d+)\.safetensors$")


def write(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> str:
    """Write tensors with a header of JSON values; return the tensors' digest, also in the header.

    The file appears under its name when it is complete, on the disk and read back, not before.
    """
    return write_snapshot(path, snapshot(tensors), header)


def snapshot(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return copies in the CPU's memory, which stay as they are while the weights move on."""
    return {name: it.detach().to("cpu", copy=True).contiguous() for name, it in tensors.items()}


def write_snapshot(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> str:
    """Do as `write` does with tensors that are copies already."""
    found = digest(tensors)
    texts = {"format": FORMAT, "version": __version__, "digest": found}
    texts |= {name: json.dumps(value) for name, value in header.items()}
    form = {name: (tensor_file.TYPES[it.dtype], list(it.shape)) for name, it in tensors.items()}
    with _refusals_told(path), durable.replacing(path) as file:
        tensor_file.write(file, tensors, texts | {SEAL: _seal(texts, form)})
    return found


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically: beside it, synced, then renamed."""
    with _refusals_told(path), durable.replacing(path) as file:
        file.write(data)


def header(path: Path) -> dict[str, Any]:
    """Return a checkpoint's header; WeightsError where it is missing, cut short or not ours."""
    try:
        with safe_open(path, framework="pt") as file:
            texts = file.metadata() or {}
            parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            form = {name: (it.get_dtype(), it.get_shape()) for name, it in parts.items()}
    except FileNotFoundError:
        raise WeightsError(Problem(str(path), "", "is missing; train it with `run`")) from None
    except (SafetensorError, OSError) as error:
        told = " ".join(str(error).split())
        raise WeightsError(
            Problem(str(path), "", f"is broken or cut short ({told}); delete it and `run` again")
        ) from None
    if texts.get("format") != FORMAT:
        raise WeightsError(Problem(str(path), "", "holds no weights of mousai-kit's"))
    seal = texts.pop(SEAL, None)
    try:
        if seal not in {None, _seal(texts, form)}:  # earlier versions wrote none
            raise ValueError
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
    """Return a checkpoint's tensors and its header; WeightsError where they are not as written."""
    found = header(path)
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(Problem(str(path), "", f"can't be read ({error})")) from None
    if "digest" in found and digest(tensors) != found["digest"]:
        what = "is broken: its numbers are not those that were written; delete it and `run` again"
        raise WeightsError(Problem(str(path), "", what))
    return tensors, found


def kept(folder: Path) -> list[Path]:
    """Return the checkpoints of a stage's folder for them, the newest first.

    The last may be the single `checkpoint.safetensors` that earlier versions kept beside it.
    """
    numbered = {int(found[1]): it for it in _names(folder) if (found := _STEP.match(it.name))}
    former = folder.with_name("checkpoint.safetensors")
    newest_first = [numbered[step] for step in sorted(numbered, reverse=True)]
    return [*newest_first, former] if former.is_file() else newest_first


def at_step(folder: Path, step: int) -> Path:
    """Return where the checkpoint of a step is kept."""
    return folder / f"step-{step:08d}.safetensors"


def load_into(module: nn.Module, tensors: Mapping[str, Tensor], *, origin: str) -> None:
    """Load weights into a module; WeightsError names what does not fit."""
    check_fit(module.state_dict(), tensors, origin=origin)
    module.load_state_dict(dict(tensors), strict=True)


def check_fit(state: Mapping[str, Tensor], tensors: Mapping[str, Tensor], *, origin: str) -> None:
    """Raise WeightsError, naming `origin`, where tensors are not those of a state."""
    faults = [
        f"lacks {_some(sorted(state.keys() - tensors.keys()))}",
        f"has {_some(sorted(tensors.keys() - state.keys()))} too many",
        f"has another shape for {_some(_reshaped(state, tensors))}",
    ]
    present = [fault for fault in faults if "''" not in fault]
    if present:
        raise WeightsError(Problem(origin, "", f"fits another model: {'; '.join(present)}"))


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


@contextmanager
def _refusals_told(path: Path) -> Iterator[None]:
    """Tell in one line why a file can't be written."""
    try:
        yield
    except OSError as error:
        raise WeightsError(
            Problem(
                str(path), "", f"can't be written ({error.strerror}); free some space or use --out"
            )
        ) from None


def _names(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def digest(tensors: Mapping[str, Tensor]) -> str:
    """Return 16 hex digits that stand for the tensors' names and contents."""
    total = sha256()
    for name in sorted(tensors):
        total.update(name.encode())
        total.update(tensor_file.flat(tensors[name]).numpy().data)
    return total.hexdigest()[:16]


def _seal(texts: Mapping[str, str], form: Mapping[str, tuple[str, list[int]]]) -> str:
    """Return 16 hex digits that stand for a header: its texts, and types and shapes of tensors."""
    told = json.dumps([dict(texts), {name: list(it) for name, it in form.items()}], sort_keys=True)
    return sha256(told.encode()).hexdigest()[:16]
