"""How much faster the loader is than the trainer: crops a second, interleaved in one run.

    python benchmarks/loader.py [RECIPE] [--set PATH=VALUE ...] [--rounds 5] [--json FILE]

Each round times the loader alone (the recipe's workers), then the trainer alone (the same crops,
in memory), for the recipe's first stage. Medians over rounds, and their ratio.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from statistics import median

import torch

from mousai_kit.core.console import Screen
from mousai_kit.core.plugins import installed_registry
from mousai_kit.data.datasets import ClipSource, training_clips
from mousai_kit.data.loader import Batch, batches
from mousai_kit.recipe import Train, load_recipe
from mousai_kit.runs.run import Run
from mousai_kit.runs.run_folder import RunFolder
from mousai_kit.training.checkpointing import TrainingPaths
from mousai_kit.training.trainer import Trainer


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", nargs="?", default="mousai-small")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=8, help="training steps a round")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    recipe = load_recipe(arguments.recipe, arguments.overrides, registry=installed_registry())
    with tempfile.TemporaryDirectory() as folder:
        figures = measured(Run(recipe, RunFolder(Path(folder)), Screen()), arguments)
    print(
        f"loader  {figures['loader']:8.1f} crops/s  ({figures['workers']} workers)\n"
        f"trainer {figures['trainer']:8.1f} crops/s\n"
        f"ratio   {figures['ratio']:8.1f}   ({figures['machine']}, torch {figures['torch']})"
    )
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


def measured(system: Run, arguments: argparse.Namespace) -> dict[str, object]:
    """Return medians of crops a second over interleaved rounds."""
    name = next(iter(system.cascade.stages))
    settings = system.recipe.stages[name].train
    clips = training_clips(system.recipe, length=settings.length)
    stage = system.cascade.stages[name]
    stage.fit_statistics((clips.clip(i).wave[None] for i in range(min(8, len(clips)))), ["music"])
    place = TrainingPaths(*(system.folder.path / part for part in ("c", "w", "log")), {})
    training = Trainer(
        name, stage, settings, seed=0, place=place, clips=clips, held_out=None, report=print
    )
    ready = list(islice(_batches(clips, settings, 0, settings.workers), 4))
    stage.train()
    training.train_step(ready[0])
    loads, trains = [], []
    for number in range(arguments.rounds):
        stream = _batches(clips, settings, number + 1, settings.workers)
        next(stream)  # workers have started
        count = max(40, 800 // settings.batch)
        started = time.perf_counter()
        for _ in range(count):
            next(stream)
        loads.append(settings.batch * count / (time.perf_counter() - started))
        started = time.perf_counter()
        for step in range(arguments.steps):
            training.train_step(ready[step % len(ready)])
        trains.append(settings.batch * arguments.steps / (time.perf_counter() - started))
    return {
        "loader": median(loads),
        "trainer": median(trains),
        "ratio": median(loads) / median(trains),
        "workers": settings.workers,
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
    }


def _batches(clips: ClipSource, settings: Train, seed: int, workers: int) -> Iterator[Batch]:
    return batches(clips, seed=seed, batch=settings.batch, first=0, steps=10**6, workers=workers)


if __name__ == "__main__":
    main()
