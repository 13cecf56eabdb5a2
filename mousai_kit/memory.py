"""Memory: refused before it is taken, and told in one line where it runs out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from mousai_kit import estimate
from mousai_kit.cascade import Cascade
from mousai_kit.errors import RequestError

SAFE_SHARE = 0.9
"""Share of the free memory that a clip may be estimated to take."""
LONGEST = 2**20
"""Samples up to which memory is estimated; it grows with the length, or faster, from there on."""


def check_memory(cascade: Cascade, seconds: float, batch: int) -> None:
    """Raise RequestError where clips of this length would not fit into memory."""
    free = estimate.available_bytes()
    if free is None:
        return
    samples = seconds * cascade.audio.sample_rate
    measured = max(1, round(min(samples, LONGEST)))
    needed = max(1.0, samples / measured) * max(
        estimate.generation_bytes(stage, samples=measured, batch=2 * batch) or 0
        for stage in cascade.stages.values()
    )
    if needed > SAFE_SHARE * free:
        fits = seconds * SAFE_SHARE * free / needed
        raise RequestError(
            f"--seconds: {seconds:g} s would take about {_gibibytes(needed)} of memory and "
            f"{_gibibytes(free)} are free; up to about {fits:.0f} s fit"
        )


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
        if not (known or "allocate memory" in str(error)):
            raise
        raise RequestError(message) from None
