"""Where a benchmark ran: facts that stand in every JSON beside its figures."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import torch

ROOT = Path(__file__).parents[1]


def facts() -> dict[str, object]:
    """Return the machine, the versions and the commit, as plain values."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "os": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "commit": _commit(),
    }


def line() -> str:
    """Return the machine in one line, for the end of a printed table."""
    found = facts()
    return (
        f"{found['gpu'] or found['cpu']}, {found['threads']} threads, torch {found['torch']}, "
        f"commit {found['commit']}"
    )


def _cpu() -> str:
    """Return the processor's model, with what makes bf16 fast on it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = dict(map(str.strip, it.split(":", 1)) for it in lines if ":" in it)
    flags = [
        it
        for it in ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
        if it in fields.get("flags", "").split()
    ]
    return " ".join([fields.get("model name", platform.machine()), *flags])


def _commit() -> str | None:
    """Return the commit that is checked out, `+` behind it where files differ from it."""
    ask = ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=12", "--dirty=+"]
    try:
        return subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


if __name__ == "__main__":
    print(line())
