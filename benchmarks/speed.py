"""How much faster than the authors' code: both in one run, interleaved, with the same weights.

    python benchmarks/speed.py [--rounds 7] [--threads 2] [--device cpu] [--only sampling,training]
                               [--json FILE]

Each row is the median over rounds in which the authors' network (fp32, as their code runs it, and
under bf16 autocast) and ours (fp32, bf16) take turns, warm. `error` is relative to the authors' own
network in float64: of the sample, the velocity, or all gradients; theirs in fp32 has one too. Peak
memory is that of a fresh process (Linux).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from authors import SIZES, Authors, Given, Ours, named_gradients
from machine import facts, line
from timing import Row, Run, errors_of, row_of, table, within
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

SMALL = ["generator 24.8 M", "decoder 12.4 M"]
PARTS = ("sampling", "evaluation", "training", "whole", "memory")
STEPS = {"generator 24.8 M": 20, "decoder 12.4 M": 15}
"""Evaluations of dpmpp-2m with cosine-spaced levels that were seen to be worth 50 of DDIM: as
benchmarks/samplers.py measured of mousai.yaml before 2026-11-28 (MDCT diffusion, U-Net)."""
FEW = {"generator 24.8 M": 4, "decoder 12.4 M": 2}
"""Evaluations that distilled networks get by on; guidance is no second one."""


def main() -> None:
    """Measure, print the table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, by commas")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--peak", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.peak:
        print(peak(*arguments.peak))
        return
    device, parts = torch.device(arguments.device), arguments.only.split(",")
    rows: list[Row] = []
    if "sampling" in parts:
        rows += [sampling(name, s, arguments.rounds, device) for name in SMALL for s in (10, 50)]
    if "evaluation" in parts:
        rows += [evaluation(name, arguments.rounds, device) for name in SIZES]
    if "training" in parts:
        rows += [training(name, arguments.rounds, device) for name in SMALL]
    if "whole" in parts:
        rows += [whole(arguments.rounds, device), distilled(arguments.rounds, device)]
    print(table(rows))
    limit = ceiling(device) if "evaluation" in parts else {}
    for row in rows:
        for key, rate in row.get("GFLOP/s", {}).items():
            share = f"{100 * rate / limit[key]:.0f} % of {limit[key]:.0f}"
            print(f"{row['what']}, {key}: {row['GFLOP']:.1f} GFLOP, {rate:.0f} a second, {share}")
    peaks = memory(arguments.threads) if "memory" in parts else {}
    for what, figures in peaks.items():
        ours, theirs = figures["ours"], figures["authors"]
        print(f"peak memory, {what}: ours {ours:.0f} MB, the authors' {theirs:.0f} MB")
    print(line())
    if arguments.json:
        found = {"machine": facts(), "rows": rows, "ceiling, GFLOP/s": limit}
        found["peak memory, MB"] = peaks
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


def sampling(name: str, steps: int, rounds: int, device: torch.device) -> Row:
    """Measure whole samples of one clip, guided where the network hears a text."""
    authors, ours, given = _twins(name, device, batch=1)
    runs = _runs(device, lambda: authors.sample(given, steps), lambda: ours.sample(given, steps))
    rounds = rounds if steps < 50 else max(3, rounds // 2)
    with torch.no_grad():
        truth = _exact(name, 1, lambda model, exactly: model.sample(exactly, steps))
        return row_of(f"{name}, {steps} steps", runs, rounds, truth)


def evaluation(name: str, rounds: int, device: torch.device) -> Row:
    """Measure one evaluation of a bound network, guided where it hears a text, and its rate."""
    authors, ours, given = _twins(name, device, batch=1)
    theirs, x, sigma = authors.velocity(given), given.noise, given.sigma

    def bound(dtype: torch.dtype | None) -> Run:
        velocity = within(device, dtype, lambda: ours.velocity(given, sigma))()
        return within(device, dtype, lambda: velocity(x, sigma))

    with torch.no_grad():
        runs = _runs(device, lambda: theirs(x, sigma), lambda: x)
        runs |= {"ours fp32": bound(None), "ours bf16": bound(torch.bfloat16)}
        truth = _exact(name, 1, lambda model, it: model.velocity(it)(it.noise, it.sigma))
        row = row_of(f"{name}, one evaluation", runs, rounds, truth)
        velocity = ours.velocity(given)
        velocity(x, sigma)  # reads the text, which later steps need not
        with FlopCounterMode(display=False) as counter:
            velocity(x, sigma)
    billions = counter.get_total_flops() / 1e9
    keys = ("ours fp32", "ours bf16")
    return row | {"GFLOP": billions, "GFLOP/s": {k: billions / row["seconds"][k] for k in keys}}


def ceiling(device: torch.device) -> dict[str, float]:
    """Return the GFLOP/s of a product of square matrices, in which networks can't be faster."""
    found = {}
    for dtype in (torch.float32, torch.bfloat16):
        x = torch.randn(2048, 2048, device=device, dtype=dtype)
        runs: dict[str, Run] = {"product": lambda it=x: it @ it}
        seconds = row_of("", runs, 15, None)["seconds"]["product"]
        found["ours fp32" if dtype == torch.float32 else "ours bf16"] = 2 * 2048**3 / seconds / 1e9
    return found


def training(name: str, rounds: int, device: torch.device) -> Row:
    """Measure a step on a batch of 8: forward, backward, AdamW (theirs as they call it)."""
    authors, ours, given = _twins(name, device, batch=8)
    runs = _runs(device, _stepping(authors, given), _stepping(ours, given))
    row = row_of(f"{name}, training step, batch 8", runs, rounds, None)
    authors, ours, given = _twins(name, device, batch=8)
    truth = _exact(name, 8, lambda model, it: _gradients(model, it, model))
    runs = _runs(
        device,
        lambda: _gradients(authors, given, authors),
        lambda: _gradients(ours, given, authors),
    )
    return row | {"error": errors_of(runs, truth)}


def whole(rounds: int, device: torch.device) -> Row:
    """Measure both networks one after the other: their 50 steps each, our fewer ones (`STEPS`)."""
    twins = {name: _twins(name, device, batch=1) for name in SMALL}

    def theirs() -> Tensor:
        return [authors.sample(given, 50) for authors, _, given in twins.values()][-1]

    def fewer() -> Tensor:
        return [
            ours.sample(given, STEPS[name], "dpmpp-2m", "cosine-spaced")
            for name, (_, ours, given) in twins.items()
        ][-1]

    with torch.no_grad():
        what = "generator and decoder, their 50 + 50 steps, our 20 + 15"
        return row_of(what, _runs(device, theirs, fewer), max(3, rounds // 2), None)


def distilled(rounds: int, device: torch.device) -> Row:
    """Measure both networks, their 50 steps each, our few of distilled networks (`FEW`)."""
    twins = {name: _twins(name, device, batch=1) for name in SMALL}

    def theirs() -> Tensor:
        return [authors.sample(given, 50) for authors, _, given in twins.values()][-1]

    def few() -> Tensor:
        return [
            ours.sample_distilled(given, FEW[name]) for name, (_, ours, given) in twins.items()
        ][-1]

    with torch.no_grad():
        what = "generator and decoder, their 50 + 50 steps, our 4 + 2, distilled"
        return row_of(what, _runs(device, theirs, few), max(3, rounds // 2), None)


def memory(threads: int) -> dict[str, dict[str, float]]:
    """Return peaks of fresh processes, in MB: what -> who -> figure."""
    found: dict[str, dict[str, float]] = {}
    for what in ("sampling", "training"):
        for name in SMALL:
            told = found.setdefault(f"{what}, {name}, fp32", {})
            for who in ("authors", "ours"):
                command = [sys.executable, __file__, "--threads", str(threads)]
                command += ["--peak", who, what, name]
                told[who] = float(
                    subprocess.run(command, capture_output=True, text=True, check=True).stdout
                )
    return found


def peak(who: str, what: str, name: str) -> float:
    """Return this process's peak memory in MB after a few samples or steps."""
    size, device = SIZES[name], torch.device("cpu")
    model = Authors(size, device) if who == "authors" else Ours(size, device)
    given = Given(size, 1 if what == "sampling" else 8, device)
    if what == "sampling":
        if isinstance(model, Ours):
            model.network.prepare_for_inference()  # as `generate` does
        for _ in range(2):
            model.sample(given, 10)
    else:
        step = _stepping(model, given)
        for _ in range(3):
            step()
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["VmHWM"].split()[0]) * 1024 / 1e6


def _twins(name: str, device: torch.device, *, batch: int) -> tuple[Authors, Ours, Given]:
    size = SIZES[name]
    authors = Authors(size, device)
    return authors, Ours(size, device, authors), Given(size, batch, device)


def _exact(name: str, batch: int, compute: Callable[[Authors, Given], Tensor]) -> Tensor:
    """Return what the authors' network computes in float64: the truth that errors refer to."""
    cpu = torch.device("cpu")
    authors = Authors(SIZES[name], cpu)
    authors.network.double()
    return compute(authors, Given(SIZES[name], batch, cpu, torch.float64)).detach()


def _loss(model: Authors | Ours, given: Given) -> Tensor:
    """Return a loss of v of noise at the given levels, once for each clip."""
    if isinstance(model, Authors):
        v = model.network(given.noise, given.sigma, **given.theirs)
    else:
        v = model.unguided(given)(given.noise, given.sigma)
    return v.float().square().mean() if v.dtype != torch.float64 else v.square().mean()


def _stepping(model: Authors | Ours, given: Given) -> Run:
    """Return what takes a training step."""
    network = model.network.train()
    fused = True if isinstance(model, Ours) else None
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-7, fused=fused)

    def step() -> Tensor:
        optimizer.zero_grad()
        loss = _loss(model, given)
        loss.backward()
        optimizer.step()
        return loss

    return step


def _gradients(model: Authors | Ours, given: Given, authors: Authors) -> Tensor:
    """Return all gradients as one vector, in the order of the authors' names."""
    model.network.zero_grad()
    _loss(model, given).backward()
    found = model.gradients() if isinstance(model, Ours) else dict(named_gradients(authors))
    return torch.cat([found[name].flatten() for name, _ in named_gradients(authors)])


def _runs(device: torch.device, authors: Run, ours: Run) -> dict[str, Run]:
    """Return what is to be measured: both networks in both precisions."""
    bf16 = torch.bfloat16
    return {
        "authors fp32": authors,
        "authors bf16": within(device, bf16, authors),
        "ours fp32": ours,
        "ours bf16": within(device, bf16, ours),
    }


if __name__ == "__main__":
    main()
