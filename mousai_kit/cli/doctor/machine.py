"""The machine: device, memory, disk; whether the hub answers, and which of its models are here."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mousai_kit.cli.doctor.components import installed_once
from mousai_kit.cli.doctor.finding import Finding, note, ok, wrong
from mousai_kit.models import hub

GIB = 2**30
LITTLE_MEMORY, LITTLE_DISK, NO_DISK = 2 * GIB, 5 * GIB, GIB // 4
"""Bytes: what training small systems takes; what runs with their checkpoints take; too little."""
GPU_BUILDS = "https://pytorch.org/get-started/locally"


def device() -> Iterator[Finding]:
    """Compute something on the device that `device: auto` means here."""
    import torch

    from mousai_kit.models.device import resolve_device

    found = resolve_device("auto")
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
    from mousai_kit.models.memory import available_bytes

    free = available_bytes()
    if free < LITTLE_MEMORY:
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


ASKED = ("google-t5/t5-base", "config.json")
"""A small file that is always there."""
NOT_NEEDED = "only recipes that name a model of the hub need it, once"


def hub_itself() -> Iterator[Finding]:
    """Ask the hub for the head of one small file, unless HF_HUB_OFFLINE is set."""
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url

    try:
        get_hf_file_metadata(hf_hub_url(*ASKED), timeout=hub.TIMEOUT)
    except Exception as error:  # whatever the hub's client and its network library raise
        told = f"no model can be fetched: {hub.explain_hub_error(error, ASKED[1])}"
        mend = f"{NOT_NEEDED}; see HF_HUB_OFFLINE, HF_ENDPOINT and HTTPS_PROXY"
        yield note("hub", told, mend)
    else:
        yield ok("hub", f"{constants.ENDPOINT} answers")


def models() -> Iterator[Finding]:
    """Tell which models that shipped recipes name are kept here."""
    for (model, revision), names in _wanted_models().items():
        told = f"{model}, for {' and '.join(names)}"
        folder = hub.find_cached(model, revision, ["*.safetensors"])
        if folder and any(folder.glob("*.safetensors")):
            yield ok("models", f"{told}: in {folder}")
        else:
            yield note("models", f"{told}: not here yet", "their first run fetches it")


def _wanted_models() -> dict[tuple[str, str | None], list[str]]:
    """Return the models (name, revision) of the hub that shipped recipes name, and which those."""
    from mousai_kit.core.errors import MousaiError
    from mousai_kit.recipe import load_recipe, shipped_recipes

    wanted: dict[tuple[str, str | None], list[str]] = {}
    for name, path in shipped_recipes().items():
        try:
            values = load_recipe(path, registry=installed_once()[0]).to_dict()
        except MousaiError:  # another check tells of it
            continue
        for options in _mappings(values):
            model, revision = options.get("model"), options.get("revision")
            if isinstance(model, str) and "revision" in options and not hub.is_folder(model):
                wanted.setdefault((model, revision), []).append(name)
    return wanted


def _mappings(value: Any) -> Iterator[dict[str, Any]]:
    """Yield all mappings inside a value."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _mappings(item)
