"""Checkpoints: safetensors files, written whole or not at all, checked when loaded.

Tensor files: safetensors, written a tensor at a time, so that nothing is in memory twice. Its own
`save_file` (0.8) would write a file of another name, which a kill leaves behind, for its owner
alone to read, and would tell of a full disk in words only; before 0.8 it copies all tensors.

The format (github.com/huggingface/safetensors): 8 bytes with the header's length, the header as
JSON, then the tensors' bytes one after another.
"""

from __future__ import annotations

import errno
import json
import re
import struct
from collections.abc import Iterator, Mapping
from hashlib import sha256
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from mousai_kit import __version__
from mousai_kit.core import files
from mousai_kit.core.errors import WeightsError, join_quoted, some
from mousai_kit.core.files import _refusals_told

TYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float8_e4m3fn: "F8_E4M3",
    torch.float8_e5m2: "F8_E5M2",
    torch.complex64: "C64",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint64: "U64",
    torch.uint32: "U32",
    torch.uint16: "U16",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
"""What safetensors calls the types of numbers."""
ALIGNED = 8
"""The tensors begin at a multiple of so many bytes."""
READ = 2**24
"""Bytes that are compared at a time."""


def write_tensors(file: BinaryIO, tensors: Mapping[str, Tensor], texts: Mapping[str, str]) -> None:
    """Write contiguous tensors on the CPU, and texts, onto the disk, and see that they are there.

    OSError where they can't be written, or come back other than they were.
    """
    for piece in _pieces(tensors, texts):
        file.write(piece.numpy().data)
    files.sync(file)
    files.drop_page_cache(file)
    for piece in _pieces(tensors, texts):
        _compare(file, piece)


def flat(tensor: Tensor) -> Tensor:
    """Return a contiguous tensor's bytes as a tensor [n] that shares its memory."""
    return tensor.reshape(-1).view(torch.uint8)


def _pieces(tensors: Mapping[str, Tensor], texts: Mapping[str, str]) -> Iterator[Tensor]:
    """Yield the file's bytes, the header's first; the widest numbers come first, so all align."""
    names = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    ends = list(accumulate((tensors[name].nbytes for name in names), initial=0))
    header: dict[str, object] = {"__metadata__": dict(texts)}
    for number, name in enumerate(names):
        header[name] = {
            "dtype": TYPES[tensors[name].dtype],
            "shape": list(tensors[name].shape),
            "data_offsets": ends[number : number + 2],
        }
    data = json.dumps(header, separators=(",", ":")).encode()
    data += b" " * (-len(data) % ALIGNED)
    yield torch.frombuffer(bytearray(struct.pack("<Q", len(data)) + data), dtype=torch.uint8)
    for name in names:
        yield flat(tensors[name])


def _compare(file: BinaryIO, expected: Tensor) -> None:
    """Read on in a file; OSError where it says something else."""
    for part in expected.split(READ):
        if file.read(len(part)) != part.numpy().tobytes():
            raise OSError(errno.EIO, "what was read back is not what was written")


FORMAT = "mousai-kit 1"
PLAIN = ("format", "version", "digest")
"""What a header says of every file, in plain words; the rest is JSON."""
HEADER_DIGEST = "seal"
"""Names the digest of all of a header, so that one that was changed on the disk is noticed."""
_STEP = re.compile(r"step-(\d+)\.safetensors$")


def write_checkpoint(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> str:
    """Write tensors with a header of JSON values; return the tensors' digest, also in the header.

    The file appears under its name when it is complete, on the disk and read back, not before.
    """
    return write_snapshot(path, snapshot(tensors), header)


def snapshot(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return copies in the CPU's memory, which stay as they are while the weights move on."""
    return {
        name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()
    }


def write_snapshot(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> str:
    """Do as `write_checkpoint` does with tensors that are copies already."""
    found = digest(tensors)
    texts = {"format": FORMAT, "version": __version__, "digest": found}
    texts |= {name: json.dumps(value) for name, value in header.items()}
    form = {name: (TYPES[tensor.dtype], list(tensor.shape)) for name, tensor in tensors.items()}
    with _refusals_told(path), files.atomic_write(path) as file:
        write_tensors(file, tensors, texts | {HEADER_DIGEST: _seal(texts, form)})
    return found


def read_header(path: Path) -> dict[str, Any]:
    """Return a checkpoint's header; WeightsError where it is missing, cut short or not ours."""
    try:
        with safe_open(path, framework="pt") as file:
            texts = file.metadata() or {}
            parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            form = {name: (part.get_dtype(), part.get_shape()) for name, part in parts.items()}
    except FileNotFoundError:
        raise WeightsError.about(path, "is missing; train it with `run`") from None
    except (SafetensorError, OSError) as error:
        told = " ".join(str(error).split())
        raise WeightsError.about(
            path, f"is broken or cut short ({told}); delete it and `run` again"
        ) from None
    if texts.get("format") != FORMAT:
        raise WeightsError.about(path, "holds no weights of mousai-kit's")
    seal = texts.pop(HEADER_DIGEST, None)
    try:
        if seal not in {None, _seal(texts, form)}:  # earlier versions wrote none
            raise ValueError
        return {key: text if key in PLAIN else json.loads(text) for key, text in texts.items()}
    except ValueError:
        raise WeightsError.about(path, "has a broken header; delete it and `run` again") from None


def is_checkpoint(path: Path) -> bool:
    """Return whether a file is a checkpoint of ours."""
    try:
        return bool(read_header(path))
    except WeightsError:
        return False


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return a checkpoint's tensors and its header; WeightsError where they are not as written."""
    found = read_header(path)
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError.about(path, f"can't be read ({error})") from None
    if "digest" in found and digest(tensors) != found["digest"]:
        what = "is broken: its numbers are not those that were written; delete it and `run` again"
        raise WeightsError.about(path, what)
    return tensors, found


def read_one(path: Path, name: str) -> Tensor | None:
    """Return one tensor of a checkpoint, None where it has none of that name."""
    read_header(path)  # tells what is broken
    with safe_open(path, framework="pt") as file:
        return file.get_tensor(name) if name in file.keys() else None  # noqa: SIM118


def list_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints of a stage's folder for them, the newest first.

    The last may be the single `checkpoint.safetensors` that earlier versions kept beside it.
    """
    files = folder.iterdir() if folder.is_dir() else ()
    numbered = {int(found[1]): file for file in files if (found := _STEP.match(file.name))}
    former = folder.with_name("checkpoint.safetensors")
    newest_first = [numbered[step] for step in sorted(numbered, reverse=True)]
    return [*newest_first, former] if former.is_file() else newest_first


def checkpoint_path(folder: Path, step: int) -> Path:
    """Return where the checkpoint of a step is kept."""
    return folder / f"step-{step:08d}.safetensors"


def load_into(module: nn.Module, tensors: Mapping[str, Tensor], *, origin: str) -> None:
    """Load weights into a module; WeightsError names what does not fit."""
    check_tensors_fit(module.state_dict(), tensors, origin=origin)
    module.load_state_dict(dict(tensors), strict=True)


def check_tensors_fit(
    state: Mapping[str, Tensor], tensors: Mapping[str, Tensor], *, origin: str
) -> None:
    """Raise WeightsError, naming `origin`, where tensors are not those of a state."""
    shaped = (name for name in state.keys() & tensors.keys() if not is_extra_state(name))
    reshaped = {name for name in shaped if state[name].shape != tensors[name].shape}
    faults = {
        "lacks {}": state.keys() - tensors.keys(),
        "has {} too many": tensors.keys() - state.keys(),
        "has another shape for {}": reshaped,
    }
    shown = {fault: some(sorted(names), 3, join_quoted) for fault, names in faults.items() if names}
    if told := "; ".join(fault.format(names) for fault, names in shown.items()):
        raise WeightsError.about(origin, f"fits another model: {told}")


def is_extra_state(name: str) -> bool:
    """Whether a tensor of a state dict is extra state (a tokenizer, say), of whatever length."""
    return name.endswith("_extra_state")


def digest(tensors: Mapping[str, Tensor]) -> str:
    """Return 16 hex digits that stand for the tensors' names and contents."""
    total = sha256()
    for name in sorted(tensors):
        total.update(name.encode())
        total.update(flat(tensors[name]).numpy().data)
    return total.hexdigest()[:16]


def _seal(texts: dict[str, str], form: dict[str, tuple[str, list[int]]]) -> str:
    """Return 16 hex digits that stand for a header: its texts, and types and shapes of tensors."""
    return sha256(json.dumps([texts, form], sort_keys=True).encode()).hexdigest()[:16]
