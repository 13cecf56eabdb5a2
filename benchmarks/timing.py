"""Timing: computations that take turns, their medians, ratios and errors, and a table of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, TypeVar

import torch
from torch import Tensor

Row = dict[str, Any]
Run = Callable[[], Tensor]
T = TypeVar("T")


def within(
    device: torch.device, dtype: torch.dtype | None, compute: Callable[[], T]
) -> Callable[[], T]:
    """Return a computation that runs under autocast, or as it is where `dtype` is None."""

    def run() -> T:
        with torch.autocast(device.type, dtype, enabled=dtype is not None):
            return compute()

    return run


def row_of(what: str, runs: dict[str, Run], rounds: int, truth: Tensor | None) -> Row:
    """Return medians of seconds, of each round's ratio to the authors' fp32, and errors."""
    errors = errors_of(runs, truth)  # warms up, too
    times: dict[str, list[float]] = {key: [] for key in runs}
    for _ in range(rounds):
        for key, run in runs.items():
            _wait()
            started = time.perf_counter()
            run()
            _wait()
            times[key].append(time.perf_counter() - started)
    seconds = {key: median(it) for key, it in times.items()}
    theirs = times.get("authors fp32")
    ratios = {
        key: median(one / ours for one, ours in zip(theirs or it, it, strict=True))
        for key, it in times.items()
    }
    return {"what": what, "seconds": seconds, "ratio": ratios, "error": errors}


def errors_of(runs: dict[str, Run], truth: Tensor | None) -> dict[str, float]:
    """Run everything once; return relative errors, none without a truth."""
    results = {key: run().detach() for key, run in runs.items()}
    if truth is None:
        return {}
    return {
        key: ((it.cpu().double() - truth).norm() / truth.norm()).item()
        for key, it in results.items()
    }


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    head = ["", "authors", "ours, fp32", "ours, bf16", "authors, bf16"]
    lines = [[*head, "error: authors, ours fp32, ours bf16"], ["---"] * (len(head) + 1)]
    for row in rows:
        seconds, ratio, error = row["seconds"], row["ratio"], row["error"]
        cells = [f"{seconds['authors fp32']:.3f} s"]
        cells += [
            f"{seconds[key]:.3f} s, **{ratio[key]:.2f}**"
            for key in ("ours fp32", "ours bf16", "authors bf16")
        ]
        keys = ("authors fp32", "ours fp32", "ours bf16")
        cells.append(", ".join(f"{error[key]:.0e}" for key in keys if key in error))
        lines.append([row["what"], *cells])
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
