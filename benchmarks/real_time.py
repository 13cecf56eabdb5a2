"""How long a system takes to play, in several ways that take turns: with other steps, say.

    python benchmarks/real_time.py RUN [WAY ...] [--seconds 43] [--rounds 5] [--threads N]

Each way is what is changed of the recipe, values parted by blanks; `steps=20` is of every stage's
sampler, and "" the recipe as it is. Weights are loaded, and a clip was made before. A line a way:
median and least seconds of work for a clip, real-time factor (seconds of work for one of sound),
and the median's ratio to the first way's.
"""

from __future__ import annotations

import argparse
import statistics
import time

import machine
import torch

import mousai_kit.api as mk

HEAD = (
    "| way | median (s) | least (s) | real-time factor | ratio |\n| --- | --- | --- | --- | --- |"
)


def load(run: str, way: str) -> mk.Pipeline:
    """Return a system in a way to play it."""
    words = way.split()
    steps = [word.removeprefix("steps=") for word in words if word.startswith("steps=")]
    overrides = [word for word in words if not word.startswith("steps=")]
    return mk.load(run, overrides, steps=int(steps[-1]) if steps else None, quiet=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("ways", nargs="*", default=[""])
    parser.add_argument("--seconds", type=float, default=43.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--prompt", default="Orchestral")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    systems = {way: load(asked.run, way) for way in asked.ways}
    times: dict[str, list[float]] = {way: [] for way in systems}
    for number in range(asked.rounds + 1):
        for way, system in systems.items():
            began = time.perf_counter()
            system.generate(asked.prompt, seconds=asked.seconds, seed=number)
            times[way].append(time.perf_counter() - began)
    print(HEAD)
    first = statistics.median(times[asked.ways[0]][1:])
    for way, found in times.items():
        middle, least = statistics.median(found[1:]), min(found[1:])
        factor, ratio = middle / asked.seconds, middle / first
        told = way or "as its recipe says"
        print(f"| {told} | {middle:.2f} | {least:.2f} | {factor:.3f} | {ratio:.2f} |")
    print(machine.line())


if __name__ == "__main__":
    main()
