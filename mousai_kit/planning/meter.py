"""Meter: how much memory a device has left, and the most that this process has held of it."""

from __future__ import annotations

import resource
import sys
from contextlib import suppress
from pathlib import Path

import torch

from mousai_kit import estimate


def available_bytes(device: torch.device) -> int | None:
    """Return the memory that is free on a device, None where it does not say."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type == "mps":
        return torch.mps.recommended_max_memory()
    return estimate.available_bytes()


def peak_bytes(device: torch.device) -> int:
    """Return the most memory that this process has held: all of it on a CPU, else the device's."""
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    if device.type == "mps":
        return torch.mps.driver_allocated_memory()
    return _status("VmHWM")


def held_bytes(device: torch.device) -> int:
    """Return the memory of a device that this program holds now, its libraries included."""
    return _status("VmRSS") if device.type == "cpu" else 0


def synchronise(device: torch.device) -> None:
    """Wait until a device has done what it was told."""
    if device.type != "cpu":
        getattr(torch, device.type).synchronize()


def give_way() -> None:
    """Let this process be the first that the system ends where memory runs out."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def hold_to(limit: int | None, device: torch.device) -> None:
    """Let allocations well beyond a limit fail, where the system can.

    On a CPU the system counts what is promised, which is more than what is held: a quarter is left
    for that. What was held tells whether a step fits.
    """
    if limit is None:
        return
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, limit / total), device)
    elif device.type == "cpu":
        left = limit + limit // 4 - _status("VmRSS")
        _limit_data(_status("VmData") + left if left > 0 else 1)  # Linux takes 0 for no limit


def let_go() -> None:
    """Lift the limit, so that there is memory to tell that it was reached."""
    _limit_data(resource.getrlimit(resource.RLIMIT_DATA)[1])


def _limit_data(limit: int) -> None:
    hardest = resource.getrlimit(resource.RLIMIT_DATA)[1]
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hardest))


def _status(which: str) -> int:
    """Return a size of this process: the most it held (VmHWM), what it holds now (VmRSS), its data.

    Where the system tells none of them, the most it held; on Linux `ru_maxrss` would begin with
    the parent's.
    """
    with suppress(OSError, KeyError, ValueError):
        lines = Path("/proc/self/status").read_text().splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        return int(fields[which].split()[0]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
