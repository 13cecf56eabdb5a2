"""Memory and disk: refused before they are taken, and told in one line where they run out."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from mousai_kit import estimate
from mousai_kit.cascade import Cascade
from mousai_kit.errors import RequestError
from mousai_kit.interfaces import Request, Space, Stage

SAFE_SHARE = 0.9
"""Share of the free memory that a clip may be estimated to take."""
LONGEST = 2**20
"""Samples up to which memory is estimated; it grows with the length, or faster, from there on."""
SIGNS = ("allocate memory", "could not create a primitive", "bad_alloc")
"""What torch, oneDNN and C++ say where an allocation fails."""
ENCODED_BYTES, FLOAT_BYTES = 3, 4
"""Bytes of a sample in an encoded file, at most, and while it waits to be encoded."""


def check_memory(cascade: Cascade, request: Request, *, top: str | None = None) -> None:
    """Raise RequestError where what is asked for would not fit into memory.

    A stage that works in windows needs memory for as many as are made together.
    """
    free = estimate.available_bytes()
    if free is None:
        return
    rate, batch = cascade.audio.sample_rate, len(request.prompts)
    for stage in (cascade.stages[name] for name in cascade.down_from(top)):
        together = min(request.together, count := stage.windows(request))
        if count > 1 and request.window is not None:
            needed = _needed(stage, request.window, batch * together)
            if needed > SAFE_SHARE * free:
                raise RequestError(
                    f"generate.window: {request.window / rate:g} s would take about "
                    f"{_gibibytes(needed)} of memory and {_gibibytes(free)} are free; lower it"
                )
        elif (needed := _needed(stage, request.samples, batch)) > SAFE_SHARE * free:
            seconds = request.samples / rate
            raise RequestError(
                f"--seconds: {seconds:g} s would take about {_gibibytes(needed)} of memory and "
                f"{_gibibytes(free)} are free; up to about "
                f"{seconds * SAFE_SHARE * free / needed:.0f} s fit"
            )


def check_disk(folder: Path, space: Space, requests: Sequence[Request]) -> None:
    """Raise RequestError where what is to be made would not fit on the disk.

    Each clip takes its encoded file; while a group is made, float32 samples come on top.
    """
    clips = [len(request.prompts) * request.samples * space.channels for request in requests]
    needed = ENCODED_BYTES * sum(clips) + FLOAT_BYTES * max(clips, default=0)
    check_room(folder, needed, "what is asked for", "ask for less, or another folder with --out")


def check_room(folder: Path, needed: int, what: str, advice: str) -> None:
    """Raise RequestError where `what`, of so many bytes, would not fit on a folder's disk."""
    there = next((it for it in (folder, *folder.absolute().parents) if it.exists()), folder)
    try:
        free = shutil.disk_usage(there).free
    except OSError:
        return
    if needed > free:
        raise RequestError(
            f"{folder}: {what} would take about {_gibibytes(needed)} on the disk and "
            f"{_gibibytes(free)} are free; {advice}"
        )


def _needed(stage: Stage, samples: int, batch: int) -> float:
    """Return about how many bytes a stage takes for audio of so many samples, with guidance."""
    measured = min(samples, LONGEST)
    found = estimate.generation_bytes(stage, samples=measured, batch=2 * batch) or 0
    return samples / measured * found


def _gibibytes(count: float) -> str:
    size = count / 2**30
    return f"{size:,.1f} GiB" if size < 1e6 else f"{size:.0e} GiB"


@contextmanager
def out_of_memory_told(message: str) -> Iterator[None]:
    """Turn a failed allocation into a RequestError of one line."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        known = isinstance(error, (MemoryError, torch.OutOfMemoryError))
        if not (known or any(sign in str(error) for sign in SIGNS)):
            raise
        raise RequestError(message) from None
