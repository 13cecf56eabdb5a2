"""How many steps a second 1 process with 2 threads takes, 1 with 1 thread, and 2 with 1 each.

    python benchmarks/scaling.py [--recipe mousai-tiny] [--batch 16] [--steps 40] [--rounds 3]

The lowest stage is trained on a CPU; the ways take turns. A rate is that of the steps after the
first ten, by the run's own clock: neither imports nor the report count.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from machine import ROOT, line

from mousai_kit.core.plugins import installed_registry
from mousai_kit.recipe import load_recipe

WAYS = {
    "1 process, 2 threads": (1, 2),
    "1 process, 1 thread": (1, 1),
    "2 processes, 1 thread": (2, 1),
}
WARM = 10
"""Steps that do not count."""


def main() -> None:
    """Measure, and print a table."""
    options = _options()
    stage = next(iter(load_recipe(options.recipe, registry=installed_registry()).stages))
    rates: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(options.rounds):
        for way, (processes, threads) in WAYS.items():
            rates[way].append(rate(options, stage, processes, threads))
    best = median(rates["1 process, 1 thread"])
    print(f"{options.recipe}, {stage}, batch {options.batch}\n")
    print("| way | steps a second | against 1 process, 1 thread |\n| --- | --- | --- |")
    for way, found in rates.items():
        spread = f"{min(found):.2f} to {max(found):.2f}"
        print(f"| {way} | {median(found):.2f} ({spread}) | {median(found) / best:.2f} |")
    print(f"\n{line()}")


def rate(options: argparse.Namespace, stage: str, processes: int, threads: int) -> float:
    """Return the steps a second of a training in so many processes of so many threads."""
    command = [sys.executable, "-m"]
    if processes > 1:
        command += ["torch.distributed.run", "--nproc-per-node", str(processes), "-m"]
    train = {"steps": options.steps, "batch": options.batch}
    train |= {"validate_every": 10**6, "checkpoint_every": 10**6}
    sets = [f"--set=stages.{stage}.train.{key}={value}" for key, value in train.items()]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "run" / stage / "log.jsonl"
        process = subprocess.Popen(
            [*command, "mousai_kit", "run", options.recipe, "--out", f"{folder}/run", *sets],
            env={**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": _path()},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while not (log.parent / "weights.safetensors").exists() and process.poll() is None:
            try:
                process.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
        process.terminate()  # the stage is trained: no more is wanted
        process.wait()
        steps = [it for it in map(json.loads, log.read_text().splitlines()) if "loss" in it]
    first, last = steps[WARM - 1], steps[-1]
    return float((last["step"] - first["step"]) / (last["seconds"] - first["seconds"]))


def _path() -> str:
    return os.pathsep.join([str(ROOT), str(ROOT / "plugins"), os.environ.get("PYTHONPATH", "")])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="mousai-tiny")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
