"""Tensor files: safetensors, written a tensor at a time, so that nothing is in memory twice.

The format (github.com/huggingface/safetensors): 8 bytes with the header's length, the header as
JSON, then the tensors' bytes one after another.
"""

from __future__ import annotations

import errno
import json
import struct
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import BinaryIO

import torch
from torch import Tensor

from mousai_kit import durable

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


def write(file: BinaryIO, tensors: Mapping[str, Tensor], texts: Mapping[str, str]) -> None:
    """Write contiguous tensors on the CPU, and texts, onto the disk, and see that they are there.

    OSError where they can't be written, or come back other than they were.
    """
    for piece in _pieces(tensors, texts):
        file.write(piece.numpy().data)
    durable.sync(file)
    durable.from_the_disk(file)
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
        data = bytearray(file.read(len(part)))
        if len(data) != len(part) or (
            data and not torch.frombuffer(data, dtype=torch.uint8).equal(part)
        ):
            raise OSError(errno.EIO, "what was read back is not what was written")
