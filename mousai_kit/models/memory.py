"""Memory and disk: refused before they are taken, and told in one line where they run out.

Estimates made without computing: parameters, latent shapes, memory, on torch's meta device.

Meter: how much memory a device has left, and the most that this process has held of it.
"""

from __future__ import annotations

import copy
import resource
import shutil
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mousai_kit.core.errors import Problem, RequestError, argument_error
from mousai_kit.core.interfaces import GenerationRequest, NoiseSource, SignalSpace, Stage
from mousai_kit.models.blocks import wrap_blocks
from mousai_kit.models.cascade import Cascade
from mousai_kit.models.conditioning import blank_extras, loss_keywords

STATE_COPIES = 4
"""Gradients, two moments, average: what training keeps beside every learned parameter."""
ADAM_COPIES = 1 + STATE_COPIES
"""What it keeps of every parameter, the weights included."""


def training_bytes(stage: Stage, *, samples: int, batch: int) -> int | None:
    """Return about how much memory a training step takes (fp32); None where it can't be told."""
    weights = sum(p.numel() * p.element_size() for p in stage.parameters())
    kept = _peak(stage, lambda part: part.loss(**loss_inputs(part, samples, batch)))
    return None if kept is None else ADAM_COPIES * weights + kept


def step_bytes(stage: Stage, *, samples: int, batch: int, recompute: bool) -> int | None:
    """Return about how much memory a step holds at a time (fp32), its backward pass included.

    None where it can't be told.
    """

    def step(stage: Stage) -> Tensor:
        with wrap_blocks(stage, recompute=recompute):
            loss = stage.loss(**loss_inputs(stage, samples, batch))
        loss.sum().backward()
        return loss.detach()

    held = sum(p.nbytes for p in stage.parameters())
    held += sum((STATE_COPIES - 1) * p.nbytes for p in stage.parameters() if p.requires_grad)
    peak = _peak(stage, step)
    return None if peak is None else held + peak


def generation_bytes(stage: Stage, *, samples: int, batch: int = 2) -> int | None:
    """Return about how much memory one evaluation of the network takes; None if unknown.

    A batch of two is one clip with guidance.
    """
    with torch.no_grad():
        return _peak(stage, lambda part: part.loss(**loss_inputs(part, samples, batch)))


def meta_input(stage: Stage, *, samples: int, batch: int, device: str = "meta") -> Tensor:
    """Return a silent signal [b, c, frames], on the meta device, for so many samples of audio."""
    below: SignalSpace = stage.input_space
    return torch.zeros(batch, below.channels, below.frames(samples), device=device)


def loss_inputs(stage: Stage, samples: int, batch: int, *, device: str = "meta") -> dict[str, Any]:
    """Return what `loss` takes for so many samples of audio."""
    signal = meta_input(stage, samples=samples, batch=batch, device=device)
    extras = blank_extras(stage, samples=samples, batch=batch, device=device)
    return {
        "signal": signal,
        "prompts": ["music"] * batch,
        "noise": NoiseSource(range(batch)),
        **loss_keywords(stage, extras),
    }


def _peak(stage: Stage, compute: Callable[[Stage], Tensor]) -> int | None:
    """Return the most bytes that a computation of a stage holds at a time, beside its weights."""
    try:
        outline = blank_copy(stage)
        with _MemoryTracker(chain(outline.parameters(), outline.buffers())) as ledger:
            kept = compute(outline)
        del kept
    except (NotImplementedError, RuntimeError):
        return None
    return ledger.peak


def blank_copy(stage: Stage, device: str = "meta") -> Stage:
    """Return a copy of a stage with shapes for weights, on the meta device, or else with zeros."""

    def blank(tensor: Tensor) -> Tensor:
        if device == "meta":
            return torch.empty_like(tensor, device=device)
        return torch.zeros(tensor.shape, dtype=tensor.dtype, device=device)

    shapes: dict[int, Any] = {id(buffer): blank(buffer) for buffer in stage.buffers()}
    for weight in stage.parameters():
        shapes[id(weight)] = nn.Parameter(blank(weight), requires_grad=weight.requires_grad)
    return copy.deepcopy(stage, shapes)


class _MemoryTracker(TorchDispatchMode):
    """Counts the bytes of living results, but of none that is a view of a `given` tensor."""

    def __init__(self, given: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known = {tensor.untyped_storage()._cdata for tensor in given}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        results = func(*args, **(kwargs or {}))
        for result in tree_leaves(results):
            if isinstance(result, Tensor):
                self._enter(result.untyped_storage())
        return results

    def _enter(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._known:
            return
        self._known.add(key)
        size = storage.nbytes()
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._leave, key, size)

    def _leave(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size


SAFE_SHARE = 0.9
"""Share of the free memory that a clip may be estimated to take."""
SMALL_SHARE = 0.1
"""Share of the free memory below which a clip of a usual system needs no estimate."""
USUAL_BYTES = 64 * 2**20
"""Memory for a second of audio with guidance: the paper's decoder takes 17 MiB, that of
`mousai-small` 10."""
LONGEST = 2**20
"""Samples up to which memory is estimated; it grows with the length, or faster, from there on."""
SIGNS = ("allocate memory", "could not create a primitive", "bad_alloc", "[enforce fail a")
"""What torch, oneDNN and C++ say where an allocation fails; torch's line is at times cut short."""
ENCODED_BYTES, FLOAT_BYTES = 3, 4
"""Bytes of a sample in an encoded file, at most, and of a number in float32, such as a latent."""


def check_memory(
    cascade: Cascade, request: GenerationRequest, *, at_a_time: int, top: str | None = None
) -> None:
    """Raise RequestError where what is asked for would not fit into memory.

    A stage that works in windows needs memory for as many as are made together; the highest makes
    `at_a_time` samples.
    """
    free = available_bytes()
    rate, batch = cascade.audio.sample_rate, len(request.prompts)
    whole, highest = request, replace(request, samples=at_a_time)
    for stage in (cascade.stages[name] for name in cascade.down_from(top)):
        request = highest if stage is cascade.top else whole
        together = min(request.together, count := stage.windows(request))
        if count > 1 and request.window is not None:
            needed = _estimate(stage, request.window, batch * together)
            if needed > SAFE_SHARE * free:
                raise RequestError(
                    f"generate.window: {request.window / rate:g} s would take about "
                    f"{_gibibytes(needed)} of memory and {_gibibytes(free)} are free; lower it"
                )
        elif (needed := _estimate(stage, request.samples, batch)) > SAFE_SHARE * free:
            seconds = request.samples / rate
            raise argument_error(
                "seconds",
                f"{seconds:g} s would take about {_gibibytes(needed)} of memory and "
                f"{_gibibytes(free)} are free; up to about "
                f"{seconds * SAFE_SHARE * free / needed:.0f} s fit",
            )


def check_output_space(
    folder: Path, space: SignalSpace, requests: Sequence[GenerationRequest]
) -> None:
    """Raise RequestError where what is to be made would not fit on the disk.

    Each clip takes its encoded file; while a group is made, float32 samples come on top.
    """
    clips = [len(request.prompts) * request.samples * space.channels for request in requests]
    needed = ENCODED_BYTES * sum(clips) + FLOAT_BYTES * max(clips, default=0)
    check_disk_space(
        folder, needed, "what is asked for", "ask for less, or name another folder to write to"
    )


def check_disk_space(folder: Path, needed: int, what: str, advice: str) -> None:
    """Raise RequestError where `what`, of so many bytes, would not fit on a folder's disk."""
    try:
        free = free_disk_bytes(folder)
    except OSError:
        return
    if needed > free:
        raise RequestError.about(
            folder,
            f"{what} would take about {_gibibytes(needed)} on the disk and "
            f"{_gibibytes(free)} are free; {advice}",
        )


def free_disk_bytes(folder: Path) -> int:
    """Return what is free on the disk of a folder, which need not be there yet."""
    there = next(item for item in (folder, *folder.absolute().parents) if item.exists())
    return shutil.disk_usage(there).free


def _estimate(stage: Stage, samples: int, batch: int) -> float:
    """Return about how many bytes a stage takes for audio of so many samples, with guidance.

    What a usual system has ten times the memory for is not measured: shapes without numbers run
    through torch's compiler, whose import alone takes seconds.
    """
    usual = USUAL_BYTES * batch * samples / stage.input_space.sample_rate
    if usual < SMALL_SHARE * available_bytes():
        return usual
    measured = min(samples, LONGEST)
    found = generation_bytes(stage, samples=measured, batch=2 * batch) or 0
    return samples / measured * found


def _gibibytes(count: float) -> str:
    size = count / 2**30
    return f"{size:,.1f} GiB" if size < 1e6 else f"{size:.0e} GiB"


@contextmanager
def report_out_of_memory(told: Problem | str) -> Iterator[None]:
    """Turn a failed allocation into a RequestError of one line."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        known = isinstance(error, (MemoryError, torch.OutOfMemoryError))
        if not (known or any(sign in str(error) for sign in SIGNS)):
            raise
        raise RequestError(told) from None


def available_bytes() -> int:
    """Return the memory that is free here, without any being swapped out."""
    return int(psutil.virtual_memory().available)


def free_bytes(device: torch.device) -> int:
    """Return the memory that is free on a device."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type == "mps":
        return torch.mps.recommended_max_memory()
    return available_bytes()


def peak_bytes(device: torch.device) -> int:
    """Return the most memory that this process has held: all of it on a CPU, else the device's.

    psutil does not tell that of a CPU, and on Linux `ru_maxrss` would begin with the parent's.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    if device.type == "mps":
        return torch.mps.driver_allocated_memory()
    with suppress(OSError, IndexError, ValueError):
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def held_bytes(device: torch.device) -> int:
    """Return the memory of a device that this program holds now, its libraries included."""
    return int(psutil.Process().memory_info().rss) if device.type == "cpu" else 0


def synchronise(device: torch.device) -> None:
    """Wait until a device has done what it was told."""
    if device.type != "cpu":
        getattr(torch, device.type).synchronize()


def give_way() -> None:
    """Let this process be the first that the system ends where memory runs out."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def hold_to(limit: int, device: torch.device) -> None:
    """Let allocations well beyond a limit fail, where the system can.

    On a CPU the system counts what is promised, which is more than what is held: a quarter is left
    for that. What was held tells whether a step fits.
    """
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, limit / total), device)
    elif device.type == "cpu":
        held = psutil.Process().memory_info()
        left = limit + limit // 4 - held.rss
        data = getattr(held, "data", held.rss)  # which macOS does not tell
        _limit_data(data + left if left > 0 else 1)  # Linux takes 0 for no limit


def let_go() -> None:
    """Lift the limit, so that there is memory to tell that it was reached."""
    _limit_data(resource.getrlimit(resource.RLIMIT_DATA)[1])


def _limit_data(limit: int) -> None:
    hardest = resource.getrlimit(resource.RLIMIT_DATA)[1]
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hardest))
