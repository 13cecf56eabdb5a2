"""Time and memory of `generate` against the length of the clip, each length in a fresh process.

    python benchmarks/length.py RUN [--seconds 10,30,100,300] [--steps N] [--threads N]
                                    [--json FILE] [--picture FILE]

Prints seconds of work, how many times faster than playback that is, and the most memory that the
process held; and how memory and time grew against the length before. What is measured is the whole
command: loading, generation, encoding, tags and picture. `--threads` holds torch to so many;
`--steps` are those of every stage's sampler: they decide the time and not the memory.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import machine

COMMAND = "from mousai_kit.cli import main; main()"
HEAD = "| seconds | work (s) | real time x | peak memory (MiB) | length x | work x | memory x |"
PROMPT = "Orbital Elevator, Ambient Electronic"


@dataclass(frozen=True)
class Row:
    """One length."""

    seconds: float
    work: float
    peak_mib: float

    @property
    def real_time(self) -> float:
        """Return how many seconds of audio a second of work makes."""
        return self.seconds / self.work


def measured(run: Path, seconds: float, steps: int | None, threads: int) -> Row:
    """Generate a clip in a process of its own, and return what it took."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = [str(run), PROMPT, "--seconds", f"{seconds:g}", "--out", folder]
        arguments += [] if steps is None else ["--steps", str(steps)]
        started = time.perf_counter()
        child = subprocess.Popen(
            [sys.executable, "-c", COMMAND, "generate", *arguments],
            env={**os.environ, "OMP_NUM_THREADS": str(threads)},
            stdout=subprocess.DEVNULL,
        )
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        work = time.perf_counter() - started
    if child.returncode:
        sys.exit(f"generate --seconds {seconds:g} ended with exit code {child.returncode}")
    return Row(seconds, work, _mebibytes(used))


def _mebibytes(used: resource.struct_rusage) -> float:
    """Return the most memory that a process held: Linux counts KiB, macOS bytes."""
    return used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def table(rows: Sequence[Row]) -> str:
    """Return what was measured as Markdown, growth against the first row."""
    first = rows[0]
    lines = (
        f"| {it.seconds:g} | {it.work:.1f} | {it.real_time:.2f} | {it.peak_mib:.0f} "
        f"| {it.seconds / first.seconds:.1f} | {it.work / first.work:.1f} "
        f"| {it.peak_mib / first.peak_mib:.2f} |"
        for it in rows
    )
    return "\n".join([HEAD, "| --- " * 7 + "|", *lines])


def draw(path: Path, rows: Sequence[Row]) -> None:
    """Plot work and memory against length."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = {
        "work (s)": [it.work for it in rows],
        "peak memory (MiB)": [it.peak_mib for it in rows],
    }
    for axes, (label, values) in zip(figure.subplots(1, 2), panels.items(), strict=True):
        axes.plot([it.seconds for it in rows], values, "o-")
        axes.set(xlabel="length of the clip (s)", ylabel=label, xlim=(0, None), ylim=(0, None))
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--seconds", default="10,30,100,300")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    rows: list[Row] = []
    for text in options.seconds.split(","):
        rows.append(measured(options.run, float(text), options.steps, options.threads))
        if options.json:
            found = {"machine": machine.facts() | {"threads": options.threads}}
            options.json.write_text(
                json.dumps(
                    found | {"steps": options.steps} | {"rows": [asdict(it) for it in rows]},
                    indent=2,
                )
                + "\n"
            )
    print(table(rows))
    print(machine.line())
    if options.picture:
        draw(options.picture, rows)


if __name__ == "__main__":
    main()
