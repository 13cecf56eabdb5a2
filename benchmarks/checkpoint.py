"""What a checkpoint costs: how long it takes until it is safe, and how long training waits for it.

    python benchmarks/checkpoint.py [MILLIONS OF PARAMETERS ...]

The tensors are those of a training: weights, their average, two moments; float32.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import torch
from machine import line

from mousai_kit import checkpoints
from mousai_kit.training.keeping import Keeping

SIZES = [10.0, 100.0]
PART = 4_000_000
"""Numbers in a tensor."""


def main() -> None:
    """Print a line for each size."""
    print(line())
    print("| parameters | file | training waits | written, read back | loaded, checked |")
    print("| --- | --- | --- | --- | --- |")
    for millions in [float(it) for it in sys.argv[1:]] or SIZES:
        print(_row(millions))


def _row(millions: float) -> str:
    parts = max(1, round(millions * 1e6 / PART))
    tensors = {
        f"{group}/{number}": torch.randn(round(millions * 1e6 / parts))
        for group in ("live", "ema", "first", "second")
        for number in range(parts)
    }
    with tempfile.TemporaryDirectory(dir=".") as folder:
        keeping = Keeping(Path(folder), keep=1)
        started = time.perf_counter()
        keeping.save(1, tensors, {"step": 1}, after=lambda: None)
        waited = time.perf_counter() - started
        keeping.settle()
        written = time.perf_counter() - started
        path = checkpoints.kept(Path(folder))[0]
        started = time.perf_counter()
        checkpoints.read(path)
        loaded = time.perf_counter() - started
        size = path.stat().st_size / 1e9
    return f"| {millions:g} M | {size:.2f} GB | {waited:.2f} s | {written:.2f} s | {loaded:.2f} s |"


if __name__ == "__main__":
    main()
