"""What a checkpoint costs: how long it takes until it is safe, and how long training waits for it.

    python benchmarks/checkpoint.py [MILLIONS OF PARAMETERS ...]

The tensors are those of a training: weights, their average, two moments; float32.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import cast

import torch
from machine import line
from torch import nn

from mousai_kit.core.interfaces import Stage
from mousai_kit.recipe import Train
from mousai_kit.runs import checkpoint
from mousai_kit.training.checkpointing import Checkpointer, TrainingPaths
from mousai_kit.training.loss_guard import LossGuard
from mousai_kit.training.state import TrainState
from mousai_kit.training.train_step import TrainStep

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
    stage = nn.Module()
    stage.weights = nn.ParameterList(
        torch.randn(round(millions * 1e6 / parts)) for _ in range(parts)
    )
    settings = Train(steps=1, batch=1, keep_checkpoints=1)
    learner = TrainStep(cast("Stage", stage), settings, seed=0)
    for parameter in learner.learned:
        parameter.grad = torch.ones_like(parameter)
    learner.update(1e-4, 1)
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        place = TrainingPaths(folder, folder / "weights", folder / "log", {})
        guard = LossGuard("", settings, lambda: None)
        checkpoints = Checkpointer(TrainState(learner, guard, {}, step=1), place, settings)
        started = time.perf_counter()
        checkpoints.save()
        waited = time.perf_counter() - started
        checkpoints.prepare_for_inference()
        written = time.perf_counter() - started
        path = checkpoint.list_checkpoints(folder)[0]
        started = time.perf_counter()
        checkpoint.read_checkpoint(path)
        loaded = time.perf_counter() - started
        size = path.stat().st_size / 1e9
    return f"| {millions:g} M | {size:.2f} GB | {waited:.2f} s | {written:.2f} s | {loaded:.2f} s |"


if __name__ == "__main__":
    main()
