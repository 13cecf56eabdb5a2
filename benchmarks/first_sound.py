"""How soon a clip is heard that is made while it plays, and how much faster than it plays.

    python benchmarks/first_sound.py RUN [--steps 20,4] [--seconds 300] [--prompt TEXT]
                                         [--threads N]

Weights are loaded and a short clip is made before. For each number of steps (of every stage's
sampler; without guidance, as a distilled system plays): seconds from the request to the first piece
and its length, seconds until a second of sound is there, real-time factor (seconds of sound that a
second of work makes), and the least sound that was ever waiting to be heard: below 0, a player that
begins with the first piece would have stood still.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from itertools import pairwise

import machine
import torch

import mousai_kit.api as mk

HEAD = (
    "| steps | first piece (s) | it lasts (s) | a second is there (s) | real time x | spare (s) |"
)


@dataclass(frozen=True)
class Row:
    """What was measured of one clip."""

    steps: int
    first: float
    lasts: float
    second: float
    real_time: float
    spare: float

    def line(self) -> str:
        """Return a row of the table."""
        return (
            f"| {self.steps} | {self.first:.2f} | {self.lasts:.2f} | {self.second:.2f} "
            f"| {self.real_time:.1f} | {self.spare:.2f} |"
        )


def measure(cascade: mk.Pipeline, prompt: str, *, steps: int, seconds: float) -> Row:
    """Play a clip, and return when what was there."""
    rate = cascade.audio.sample_rate
    cascade.generate(prompt, seconds=0.5, steps=steps, guidance=1.0)
    arrivals: list[tuple[float, float]] = []
    heard, started = 0.0, time.perf_counter()
    for piece in cascade.stream(prompt, seconds=seconds, steps=steps, guidance=1.0):
        heard += piece.shape[-1] / rate
        arrivals.append((time.perf_counter() - started, heard))
    first, lasts = arrivals[0]
    second = next(at for at, there in arrivals if there >= min(1.0, seconds))
    # What is there when the next piece comes, less what has been heard of it since the first one.
    spare = min(there - (later - first) for (_, there), (later, _) in pairwise(arrivals))
    return Row(steps, first, lasts, second, heard / arrivals[-1][0], spare)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("--steps", default="20,4")
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--prompt", default="Rock")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cascade = mk.load(options.run, quiet=True)
    print(HEAD)
    print("| --- " * 6 + "|")
    for steps in map(int, options.steps.split(",")):
        row = measure(cascade, options.prompt, steps=steps, seconds=options.seconds)
        print(row.line(), flush=True)
    print(machine.line())


if __name__ == "__main__":
    main()
