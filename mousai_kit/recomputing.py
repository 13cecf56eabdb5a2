"""Gradient checkpointing: blocks whose activations are computed again instead of being kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar, TypeVarTuple

import torch
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
    A block inside another is the outer one's part.
    """
    if not (_asked.get() and torch.is_grad_enabled()):
        return block(*given)

    def alone(*given: *Given) -> Made:
        with recomputing(False):
            return block(*given)

    made: Made = checkpoint(alone, *given, use_reentrant=False)
    return made
