"""The machine: device, memory, disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from mousai_kit.doctor.finding import Finding, note, ok, wrong

GIB = 2**30
LITTLE_MEMORY, LITTLE_DISK, NO_DISK = 2 * GIB, 5 * GIB, GIB // 4
"""Bytes: what training small systems takes; what runs with their checkpoints take; too little."""
GPU_BUILDS = "https://pytorch.org/get-started/locally"


def device() -> Iterator[Finding]:
    """Compute something on the device that `device: auto` means here."""
    import torch

    from mousai_kit.devices import resolve

    found = resolve("auto")
    try:
        torch.ones(8, 8, device=found).matmul(torch.ones(8, 8, device=found)).sum().item()
    except RuntimeError as error:  # a GPU that this torch was not built for, or whose driver is old
        told = f"{found} can't compute ({' '.join(str(error).split())})"
        yield wrong("device", told, f"a torch for this GPU: {GPU_BUILDS}; or `device: cpu`")
        return
    if found.type == "cuda":
        facts = torch.cuda.get_device_properties(found)
        yield ok("device", f"cuda: {facts.name}, {facts.total_memory / GIB:.0f} GiB")
    elif found.type == "cpu" and _nvidia_gpu_is_there():
        told = "cpu, although there is an NVIDIA GPU: torch can't use it"
        yield note("device", told, f"a torch with CUDA, and a driver for it: {GPU_BUILDS}")
    else:
        yield ok("device", f"{found.type}, {os.cpu_count()} processors")


def _nvidia_gpu_is_there() -> bool:
    return Path("/proc/driver/nvidia/version").exists() or bool(shutil.which("nvidia-smi"))


def memory() -> Iterator[Finding]:
    """Tell how much memory is free."""
    from mousai_kit.estimate import available_bytes

    free = available_bytes()
    if free is None:
        yield ok("memory", "this system does not say how much is free")
    elif free < LITTLE_MEMORY:
        told = f"{free / GIB:.1f} GiB free, which is little to train with"
        yield note("memory", told, "end other programs, or lower `batch` and `length`")
    else:
        yield ok("memory", f"{free / GIB:.1f} GiB free")


def disk() -> Iterator[Finding]:
    """Check that runs can be written where we stand."""
    here = Path.cwd()
    free = shutil.disk_usage(here).free
    told = f"{free / GIB:.1f} GiB free in {here}"
    elsewhere = "work in another folder, or write to one with --out"
    if not os.access(here, os.W_OK):
        yield wrong("disk", f"{here} can't be written to", elsewhere)
    elif free < NO_DISK:
        yield wrong("disk", told, f"make room; or {elsewhere}")
    elif free < LITTLE_DISK:
        yield note("disk", f"{told}, which a few runs fill", f"make room; or {elsewhere}")
    else:
        yield ok("disk", told)
