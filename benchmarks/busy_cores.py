"""How much slower steps are while other programs have cores, by how threads wait and how many.

    python benchmarks/busy_cores.py [--busy 0,1] [--rounds 3] [--seconds 5] [--work sample,train]
                                    [--settings NAME,...] [--json FILE]

Each figure is a fresh process beside so many busy loops, which takes steps for some seconds: clips
of the weights that come along, or training steps of their generator. Settings take turns;
their medians are told as times of the first one beside the fewest loops. `--busy 0` on a machine
that is busy already tells of that. Ctrl-C ends all.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import product
from pathlib import Path
from statistics import median

import torch
from machine import facts, line

from mousai_kit.core.interfaces import GenerationRequest
from mousai_kit.core.spin_wait import sleep_if_contended
from mousai_kit.models.memory import loss_inputs
from mousai_kit.runs.resolve import trained_system

WATCHED = "BUSY_CORES_WATCHED"
"""The variable that lets threads sleep where others have cores, as generating and training do."""
SETTINGS: dict[str, dict[str, str]] = {
    "spinning": {},
    "as shipped": {WATCHED: "1"},
    "passive": {"OMP_WAIT_POLICY": "passive"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
"""What the environment says of threads, by the setting's name."""
IGNORED = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "MKL_NUM_THREADS")
WARM_UP = 1
"""Steps that are not counted."""
PROMPT = "Rock"
SAMPLES = 5 * 44100
"""Audio that a training step learns from, twice."""
Figures = dict[tuple[str, int, str], list[float]]
"""Seconds of a step by work, number of busy loops and setting, one of each round."""


def main() -> None:
    """Measure, print a table for each work, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--busy", default="0,1", help="numbers of busy loops, by commas")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--work", default=",".join(WORK), help="by commas")
    parser.add_argument("--settings", default=",".join(SETTINGS), help="by commas")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--steps-of", choices=WORK, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.steps_of:
        with sleep_if_contended() if os.environ.get(WATCHED) else nullcontext():
            print(seconds_a_step(WORK[arguments.steps_of](), arguments.seconds))
        return
    loops = [int(number) for number in arguments.busy.split(",")]
    settings, works = arguments.settings.split(","), arguments.work.split(",")
    found: Figures = {}
    for _, work, busy, setting in product(range(arguments.rounds), works, loops, settings):
        with busy_loops(busy):
            seconds = measure(work, SETTINGS[setting], arguments.seconds)
        found.setdefault((work, busy, setting), []).append(seconds)
        print(f"{work}, {busy} busy, {setting}: {seconds:.3f} s", file=sys.stderr)
    print("\n\n".join(table(found, work, loops, settings) for work in works))
    print(line())
    if arguments.json:
        rows = [
            {"work": work, "busy": busy, "setting": setting, "seconds": seconds}
            for (work, busy, setting), seconds in found.items()
        ]
        arguments.json.write_text(json.dumps({"machine": facts(), "rows": rows}, indent=2) + "\n")


def table(found: Figures, work: str, loops: list[int], settings: list[str]) -> str:
    """Return a Markdown table of medians, with their ratio to the first setting beside fewest."""
    base = median(found[work, loops[0], settings[0]])
    lines = [[work, *(f"{busy} busy loops" for busy in loops)], ["---"] * (len(loops) + 1)]
    for setting in settings:
        times = [median(found[work, busy, setting]) for busy in loops]
        lines.append([setting, *(f"{it:.3f} s, **{it / base:.2f}**" for it in times)])
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


@contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """Keep so many processes busy while the context lasts."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def measure(work: str, setting: dict[str, str], seconds: float) -> float:
    """Return the seconds of a step in a fresh process."""
    inherited = {key: value for key, value in os.environ.items() if key not in IGNORED}
    asked = [sys.executable, "-W", "ignore", __file__, "--steps-of", work]
    asked += ["--seconds", str(seconds)]
    done = subprocess.run(
        asked, env={**inherited, **setting}, capture_output=True, text=True, check=True
    )
    return float(done.stdout.split()[-1])


def seconds_a_step(step: Callable[[], object], seconds: float) -> float:
    """Return how long a step takes, on average over some seconds."""
    for _ in range(WARM_UP):
        step()
    started, count = time.perf_counter(), 0
    while (now := time.perf_counter()) - started < seconds or not count:
        step()
        count += 1
    return (now - started) / count


def sampling() -> Callable[[], object]:
    """Return what makes a clip of two seconds."""
    cascade = trained_system("starter", None).load_for_inference().cascade
    request = GenerationRequest([PROMPT], [0], 2 * cascade.audio.sample_rate, guidance=3.0)
    return lambda: list(cascade.decode_stream(None, request))


def training() -> Callable[[], object]:
    """Return a step of AdamW on the generator, of noise."""
    stage = trained_system("starter", None).load().cascade.top
    given = loss_inputs(stage, samples=SAMPLES, batch=2, device="cpu")
    given["signal"] = torch.randn_like(given["signal"])
    optimizer = torch.optim.AdamW(stage.train().parameters(), lr=1e-4, fused=True)

    def step() -> None:
        stage.loss(**given).mean().backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


WORK: dict[str, Callable[[], Callable[[], object]]] = {"sample": sampling, "train": training}


if __name__ == "__main__":
    main()
