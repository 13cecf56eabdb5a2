"""The paper's system on a GPU: real-time factor and memory of 43 s, against the authors' code.

    python benchmarks/gpu_speed.py [--device cuda] [--minutes 5] [--rows authors,ours] [--small]

Prints the Markdown table of docs/speed.md, and on what it was measured. Generator (562 M) and
decoder (161 M, on the waveform's 128 patches of 64 samples) have the sizes of `mousai-paper` and
random weights; texts are 64 embeddings of T5-base, guidance is 5. Each row is a process of its own:
two steps to warm up, which compile where that is asked for, then all of them, three times where
time is left: the fastest counts. A row that does not fit into what is left of `--minutes` says so.
`--small` measures tiny networks in a moment: that the script works, nothing else.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from authors import MISSING, SIZES, Authors, Given, Ours, Size
from machine import line

import mousai_kit.api as mk
from mousai_kit.models.compiled import compile_networks

RATE, SAMPLES = 48000, 2**21
PAPER = [
    replace(
        SIZES["generator 551 M"],
        frames=SAMPLES // 1024,
        options=SIZES["generator 551 M"].options | {"cross_attentions": [1] * 6},
    ),
    Size(
        channels=128,
        frames=SAMPLES // 64,
        context=(32, SAMPLES // 1024),
        context_injections=[0, 0, 0, 0, 1, 0, 0],
        options={
            "channels": [256, 512, 512, 512, 1024, 1024, 1024],
            "factors": [1, 2, 2, 2, 2, 2, 2],
            "blocks": [1, 2, 2, 2, 2, 2, 2],
        },
    ),
]
"""Generator and decoder of the paper, for 43.7 s."""
TINY = [
    Size(
        channels=4,
        frames=32,
        text=True,
        options={
            "channels": [16, 16],
            "factors": [1, 2],
            "blocks": [1, 1],
            "attentions": [0, 1],
            "cross_attentions": [0, 1],
            "attention_heads": 2,
            "attention_features": 8,
        },
    ),
    Size(
        channels=8,
        frames=128,
        context=(4, 64),
        context_injections=[0, 1],
        options={"channels": [16, 16], "factors": [1, 2], "blocks": [1, 1]},
    ),
]
FEWER = [20, 15]
"""Steps of dpmpp-2m at cosine-spaced levels, of generator and decoder: see docs/samplers.md."""
REPEATS = 3


@dataclass(frozen=True)
class Setting:
    """How a row of the table samples: `fewer` steps than 50 of DDIM, in bf16, compiled."""

    title: str
    ours: bool = True
    bf16: bool = False
    compiled: bool = False
    fewer: bool = False


ROWS = {
    "authors": Setting("the authors' code, fp32, 50 + 50 steps", ours=False),
    "authors-bf16": Setting("the authors' code, bf16, 50 + 50 steps", ours=False, bf16=True),
    "ours": Setting("ours, fp32, 50 + 50 steps"),
    "ours-bf16": Setting("ours, bf16, 50 + 50 steps", bf16=True),
    "ours-compiled": Setting("ours, bf16, compiled, 50 + 50 steps", bf16=True, compiled=True),
    "ours-fewer": Setting(
        "ours, bf16, compiled, 20 + 15 steps of `dpmpp-2m`", bf16=True, compiled=True, fewer=True
    ),
}


def main() -> None:
    """Measure each row in a process of its own, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--minutes", type=float, default=5.0, help="all of it takes at most this")
    parser.add_argument("--rows", default=",".join(ROWS), help=f"by commas: {', '.join(ROWS)}")
    parser.add_argument("--small", action="store_true", help="tiny networks: does it work")
    parser.add_argument("--row", nargs=2, metavar=("NAME", "SECONDS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.row:
        name, seconds = arguments.row
        print(json.dumps(measure(name, arguments.device, arguments.small, float(seconds))))
        return
    names = arguments.rows.split(",")
    if unknown := [name for name in names if name not in ROWS]:
        parser.error(f"--rows: there is no '{unknown[0]}'; choose from {', '.join(ROWS)}")
    if arguments.device == "cpu" and not arguments.small:
        parser.error("the paper's size takes a GPU (torch finds none); --small shows it works")
    print("| 43.7 s of stereo at 48 kHz | time | real-time factor | peak memory |")
    print("| --- | --- | --- | --- |", flush=True)
    end = time.monotonic() + 60 * arguments.minutes
    for number, name in enumerate(names):
        share = max(1.0, (end - time.monotonic()) / (len(names) - number))
        found = run(name, arguments, share)
        print(f"| {ROWS[name].title} | {cells(found)} |", flush=True)
    print(f"\n{line()}{', tiny networks' if arguments.small else ''}")


def run(name: str, arguments: argparse.Namespace, seconds: float) -> dict[str, float] | str:
    """Return a row's figures, or why there are none."""
    command = [sys.executable, __file__, "--device", arguments.device]
    command += ["--small"] if arguments.small else []
    command += ["--row", name, str(seconds)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return f"not done in {seconds:.0f} s"
    if done.returncode:
        told = done.stderr.strip().splitlines() or ["ended"]
        return "not installed" if told[-1] == MISSING else told[-1][:120]
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def cells(found: dict[str, float] | str) -> str:
    """Return a row's cells."""
    if isinstance(found, str):
        return f"{found} | | "
    seconds, memory = found["seconds"], found["bytes"] / 2**30
    return f"{seconds:.2f} s | {seconds * RATE / SAMPLES:.4f} | {memory:.1f} GiB"


def measure(name: str, device_name: str, small: bool, seconds: float) -> dict[str, float]:
    """Return the seconds that a clip takes, the fastest of some, and the peak memory in bytes."""
    begun, setting, device = time.monotonic(), ROWS[name], torch.device(device_name)
    sizes, steps = (TINY, [4, 4]) if small else (PAPER, [50, 50])
    steps = [2, 2] if small and setting.fewer else FEWER if setting.fewer else steps
    with device:
        models = [(Ours if setting.ours else Authors)(size, device) for size in sizes]
    if setting.compiled:
        compile_networks([model.network for model in models], device)
    given = [Given(size, 1, device) for size in sizes]

    def clip(counts: list[int]) -> float:
        start = time.perf_counter()
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=setting.bf16):
            for model, told, count in zip(models, given, counts, strict=True):
                if isinstance(model, Ours) and setting.fewer:
                    model.sample(told, count, "dpmpp-2m", "cosine-spaced")
                else:
                    model.sample(told, count)
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    clip([2, 2])
    times = [clip(steps)]
    while len(times) < REPEATS and time.monotonic() - begun + 1.5 * times[0] < seconds:
        times.append(clip(steps))
    return {"seconds": min(times), "bytes": peak(device)}


def peak(device: torch.device) -> float:
    """Return this process's peak memory in bytes: the GPU's, or on a CPU (Linux) all of it."""
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated())
    lines = Path("/proc/self/status").read_text().splitlines()
    fields = dict(field.split(":", 1) for field in lines)
    return float(fields["VmHWM"].split()[0]) * 1024


if __name__ == "__main__":
    try:
        main()
    except mk.MousaiError as error:
        sys.exit(str(error))
