"""A network's repeated blocks in training: computed again in the backward pass, or compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeVar, TypeVarTuple

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from mousai_kit.compiling import compiled

Given = TypeVarTuple("Given")
Made = TypeVar("Made")


class _Asked(NamedTuple):
    recomputed: bool = False
    compiled: bool = False


_NOTHING = _Asked()
_asked: ContextVar[_Asked] = ContextVar("repeating", default=_NOTHING)


@contextmanager
def repeating(*, recomputed: bool = False, compiled: bool = False) -> Iterator[None]:
    """Let `repeated` blocks keep no activations for the backward pass, or run compiled, or both,
    while this lasts.
    """
    token = _asked.set(_Asked(recomputed, compiled))
    try:
        yield
    finally:
        _asked.reset(token)


def repeated(block: Callable[[*Given], Made], *given: *Given) -> Made:
    """Return what a block makes of what it is given; a network calls each repeated block so.

    Where training asks for it with `recompute: true`, only what the block was given is kept for the
    backward pass, which calls the block once more; randomness and autocast are as at the first
    call. A block must therefore do the same both times: it may remember nothing of the first call.
    With `compile: true` the block, if it is a module, runs compiled; blocks that do the same to the
    same shapes share their code.

    A block inside another is the outer one's part. Hooks on a module are called once, as ever, and
    not compiled: FSDP's put other tensors, alike but for their strides, in place of those that it
    is given.
    """
    if torch.compiler.is_compiling():
        return block(*given)
    asked = _asked.get()
    if not any(asked) or not torch.is_grad_enabled():
        return block(*given)
    if not isinstance(block, nn.Module):
        return _kept_little(block)(*given) if asked.recomputed else block(*given)
    forward = compiled(block) if asked.compiled else block.forward
    with _inside(block, _kept_little(forward) if asked.recomputed else forward):
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
        with repeating():
            return work(*given)

    def kept_little(*given: *Given) -> Made:
        made: Made = checkpoint(alone, *given, use_reentrant=False)
        return made

    return kept_little
