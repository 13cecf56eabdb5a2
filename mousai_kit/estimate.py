"""Estimates made without computing: parameters, latent shapes, memory, on torch's meta device."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mousai_kit.interfaces import NoiseSource, Space, Stage
from mousai_kit.repeating import repeating

STATE_COPIES = 4
"""Gradients, two moments, average: what training keeps beside every learned parameter."""
ADAM_COPIES = 1 + STATE_COPIES
"""What it keeps of every parameter, the weights included."""


def training_bytes(stage: Stage, *, samples: int, batch: int) -> int | None:
    """Return about how much memory a training step takes (fp32); None where it can't be told."""
    weights = sum(p.numel() * p.element_size() for p in stage.parameters())
    kept = _peak(stage, lambda it: it.loss(**_inputs(it, samples, batch)))
    return None if kept is None else ADAM_COPIES * weights + kept


def step_bytes(stage: Stage, *, samples: int, batch: int, recompute: bool) -> int | None:
    """Return about how much memory a step holds at a time (fp32), its backward pass included.

    None where it can't be told.
    """

    def step(it: Stage) -> Tensor:
        with repeating(recomputed=recompute):
            loss = it.loss(**_inputs(it, samples, batch))
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
        return _peak(stage, lambda it: it.loss(**_inputs(it, samples, batch)))


def blank(stage: Stage, *, samples: int, batch: int) -> Tensor:
    """Return a signal [b, c, frames] on the meta device for so many samples of audio."""
    below: Space = stage.below
    return torch.zeros(batch, below.channels, below.frames(samples), device="meta")


def available_bytes() -> int | None:
    """Return the memory that is free here, None where the system does not say."""
    try:
        with Path("/proc/meminfo").open() as file:
            fields = dict(line.split(":", 1) for line in file)
        return int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None


def _inputs(stage: Stage, samples: int, batch: int) -> dict[str, Any]:
    signal = blank(stage, samples=samples, batch=batch)
    return {"signal": signal, "prompts": ["music"] * batch, "noise": NoiseSource(range(batch))}


def _peak(stage: Stage, compute: Callable[[Stage], Tensor]) -> int | None:
    """Return the most bytes that a computation of a stage holds at a time, beside its weights."""
    try:
        outline = _outline(stage)
        with _Ledger(_tensors(outline)) as ledger:
            kept = compute(outline)
        del kept
    except (NotImplementedError, RuntimeError):
        return None
    return ledger.peak


def _outline(stage: Stage) -> Stage:
    """Return a copy of a stage with shapes for weights, on the meta device, wherever they are."""
    shapes: dict[int, Any] = {id(it): torch.empty_like(it, device="meta") for it in stage.buffers()}
    for weight in stage.parameters():
        shape = torch.empty_like(weight, device="meta")
        shapes[id(weight)] = nn.Parameter(shape, requires_grad=weight.requires_grad)
    return copy.deepcopy(stage, shapes)


def _tensors(stage: Stage) -> Iterator[Tensor]:
    return chain(stage.parameters(), stage.buffers())


class _Ledger(TorchDispatchMode):
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
