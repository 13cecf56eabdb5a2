"""How much faster than the authors' trainer: whole steps of both, interleaved, in one run.

    python benchmarks/training.py [--rounds 15] [--threads 2] [--device cpu] [--batch 8]
                                  [--longer 1] [--compiled] [--json FILE]

A step is all that their trainer does in one: noise at random levels, loss, backward pass, clipped
gradient, AdamW with their settings, and the averaged weights (ema-pytorch with beta 0.995 and
power 0.7, at its defaults: it averages at every tenth step). Ours is `training.step.Learner`, told
`ema_every: 10`. The same networks and sizes, float32 as their code runs, and bf16 autocast of
both. `--longer 8` takes crops eight times as long: 2,048 frames, as the published generator learns
from, and 2^18 samples, as its decoder. `--compiled` adds ours with `compile: true`, whose first
step is timed apart. All take a step in turn, warm; a ratio is the median of
those of the rounds. Peak memory is a fresh process's (Linux). Needs the extra `parity`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from authors import COSINE, SIZES, Authors, Given, Ours, Size
from ema_pytorch import EMA
from machine import facts, line
from timing import Row, Run, row_of, within
from torch import Tensor, nn

import mousai_kit.api as mk
from mousai_kit.data.loader import Batch
from mousai_kit.recipe import Train
from mousai_kit.training.train_step import TrainStep

NAMES = ["generator 24.8 M", "decoder 12.4 M"]
WHO = ["authors fp32", "authors bf16", "ours fp32", "ours bf16"]
COMPILED = ["ours fp32 compiled", "ours bf16 compiled"]


def main() -> None:
    """Measure, print the table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--longer", type=int, default=1)
    parser.add_argument("--compiled", action="store_true", help="ours with compile: true, too")
    parser.add_argument("--only", default=",".join(NAMES), help="networks, by commas")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.peak:
        print(peak(*arguments.peak, given_of(arguments.peak[0], arguments)))
        return
    who = WHO + COMPILED if arguments.compiled else WHO
    rows = [
        measured(name, who, arguments.rounds, given_of(name, arguments))
        for name in arguments.only.split(",")
    ]
    for row in rows:
        row["peak memory, MB"] = {it: peak_of(row["name"], it, arguments) for it in who}
    print(table(rows))
    print(line())
    if arguments.json:
        found = {"machine": facts(), "rows": rows}
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


def given_of(name: str, arguments: argparse.Namespace) -> Given:
    """Return what a network is given."""
    size = longer(SIZES[name], arguments.longer)
    return Given(size, arguments.batch, torch.device(arguments.device))


def longer(size: Size, times: int) -> Size:
    """Return the size with crops so many times as long."""
    context = None if size.context is None else (size.context[0], times * size.context[1])
    return replace(size, frames=times * size.frames, context=context)


def measured(name: str, who: list[str], rounds: int, given: Given) -> Row:
    """Return the medians of steps of both, in both precisions, that take turns."""
    runs = {it: stepping(name, it, given) for it in who}
    first = {}
    for it, run in runs.items():
        started = time.perf_counter()
        run()
        first[it] = time.perf_counter() - started
        run()
    what = f"{name}, {given.size.frames:,} frames, batch {given.batch}"
    return {"name": name, **row_of(what, runs, rounds, None), "first step, s": first}


def stepping(name: str, who: str, given: Given) -> Run:
    """Return what takes a step, of the authors' or of ours, in a precision."""
    whose, precision, *how = who.split()
    device = given.noise.device
    if whose == "ours":
        return _ours(name, precision, bool(how), given, device)
    run = _authors(name, given, device)
    return within(device, torch.bfloat16 if precision == "bf16" else None, run)


def _authors(name: str, given: Given, device: torch.device) -> Run:
    """Return a step of their trainer: audio-diffusion-pytorch's loss, AdamW, ema-pytorch."""
    authors = Authors(SIZES[name], device)
    model = authors.network.train()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=1e-4, betas=(0.95, 0.999), eps=1e-6, weight_decay=1e-3
    )
    average = EMA(model, beta=0.995, power=0.7)

    def step() -> Tensor:
        optimizer.zero_grad()
        loss = authors.loss(given)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        average.update()
        return torch.tensor(loss.item())  # it is logged

    return step


def _ours(name: str, precision: str, compiled: bool, given: Given, device: torch.device) -> Run:
    """Return a step of ours, as `run` takes it."""
    settings: dict[str, Any] = {"batch": given.batch, "precision": precision, "ema_every": 10}
    settings["compile"] = compiled
    stage = Alone(Ours(SIZES[name], device), given)
    learner = TrainStep(stage.train(), Train(**settings), seed=0)
    batch = Batch(given.noise, [""] * given.batch, [""] * given.batch, [])
    taken = 0

    def step() -> Tensor:
        nonlocal taken
        found = learner.gradients(batch, taken)
        taken += 1
        learner.update(1e-4, taken)
        return torch.tensor(found.loss)

    return step


class Alone(mk.Stage):
    """A network as a stage that is told what is given, so that no other part takes time."""

    name = "alone"

    def __init__(self, ours: Ours, given: Given) -> None:
        nn.Module.__init__(self)
        self.network, self.ours, self.given = ours.network, ours, given

    def loss(
        self, signal: Tensor, prompts: Any, *, noise: mk.NoiseSource, condition: Any = "training"
    ) -> Tensor:
        """Return the v-objective's error for each clip."""
        return mk.velocity_loss(self.ours.unguided(self.given), signal, COSINE, noise)

    def encode(self, signal: Tensor) -> Tensor:
        """Do nothing: there is no latent."""
        return signal

    def decode(self, latents: Tensor | None, request: mk.GenerationRequest) -> Tensor:
        """Do nothing: nothing is played."""
        raise NotImplementedError


def peak(name: str, who: str, given: Given) -> float:
    """Return this process's peak memory in MB after a few steps."""
    step = stepping(name, who, given)
    for _ in range(3):
        step()
    fields = dict(it.split(":", 1) for it in Path("/proc/self/status").read_text().splitlines())
    return int(fields["VmHWM"].split()[0]) * 1024 / 1e6


def peak_of(name: str, who: str, arguments: argparse.Namespace) -> float:
    """Return the peak of a fresh process that takes such steps."""
    command = [sys.executable, __file__, "--threads", str(arguments.threads)]
    command += ["--batch", str(arguments.batch), "--longer", str(arguments.longer)]
    command += ["--peak", name, who]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def table(rows: list[Row]) -> str:
    """Return the rows as a Markdown table: steps a second, ratios to the authors' fp32, memory."""
    all_of_them = rows[0]["seconds"]
    lines = [["", *(f"{who}: steps/s, ratio, MB" for who in all_of_them)]]
    lines.append(["---"] * len(lines[0]))
    for row in rows:
        cells = [
            f"{1 / row['seconds'][who]:.2f}, **{row['ratio'][who]:.2f}**, "
            f"{row['peak memory, MB'][who]:.0f}"
            for who in all_of_them
        ]
        lines.append([row["what"], *cells])
    told = ["| " + " | ".join(cells) + " |" for cells in lines]
    for row in rows:
        told += [
            f"{row['what']}, {who}: first step {seconds:.0f} s"
            for who, seconds in row["first step, s"].items()
            if who in COMPILED
        ]
    return "\n".join(told)


if __name__ == "__main__":
    main()
