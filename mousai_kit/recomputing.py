"""Gradient checkpointing: blocks whose activations are computed again instead of being kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar, TypeVarTuple

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

Given = TypeVarTuple("Given")
Made = TypeVar("Made")

_asked: ContextVar[bool] = ContextVar("recomputing", default=False)


@contextmanager
def recomputing(asked: bool = True) -> Iterator[None]:
    """Let `recomputed` blocks keep no activations for the backward pass while this lasts."""
    token = _asked.set(asked)
    try:
        yield
    finally:
        _asked.reset(token)


def recomputed(block: Callable[[*Given], Made], *given: *Given) -> Made:
    """Return what a block makes of what it is given; a network calls each repeated block so.

    Where training asks for it (`recompute: true`), only what the block was given is kept for the
    backward pass, which calls the block once more; randomness and autocast are as at the first
    call. A block must therefore do the same both times: it may remember nothing of the first call.
    A block inside another is the outer one's part. Hooks on a module are called once, as ever:
    FSDP's put other tensors, alike but for their strides, in place of those that it is given.
    """
    if not (_asked.get() and torch.is_grad_enabled()):
        return block(*given)
    if not isinstance(block, nn.Module):
        return _kept_little(block)(*given)
    with _inside(block, _kept_little(block.forward)):
        made: Made = block(*given)
    return made


@contextmanager
def _inside(module: nn.Module, forward: Callable[..., Any]) -> Iterator[None]:
    """Let a module's `forward` be another for a while."""
    before = vars(module).get("forward")
    module.forward = forward
    try:
        yield
    finally:
        del module.forward
        if before is not None:
            module.forward = before


def _kept_little(work: Callable[[*Given], Made]) -> Callable[[*Given], Made]:
    """Return a function that does the same, and once more in the backward pass."""

    def alone(*given: *Given) -> Made:
        with recomputing(False):
            return work(*given)

    def kept_little(*given: *Given) -> Made:
        made: Made = checkpoint(alone, *given, use_reentrant=False)
        return made

    return kept_little
