"""Networks compiled for sampling: code for each of their blocks, on CUDA recorded as graphs."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mousai_kit.core.errors import argument_error
from mousai_kit.core.interfaces import JumpVelocity, Stage, UNet, Velocity
from mousai_kit.models.blocks import (
    NEEDED,
    CompileError,
    check_compiler,
    outermost_blocks,
    report_compile_errors,
    sample_compiled,
)

GRAPHS = "reduce-overhead"
"""torch's mode that records what a block starts on a GPU, and starts all of it at once."""


def compile_networks(parts: Iterable[nn.Module], device: torch.device) -> int:
    """Let the blocks of the networks that stages play sample compiled; return how many there are.

    Each block compiles at its first call with tensors of other shapes, and blocks that do the same
    to the same shapes share their code. On CUDA a block's kernels are recorded as a CUDA graph.
    Weights stay as they are, and training is not touched. RequestError where the device has no
    compiler.
    """
    try:
        check_compiler(device)
    except CompileError as error:
        told = f"{error}; install what it needs ({NEEDED}), or leave it out"
        raise argument_error("compile", told) from error
    mode = GRAPHS if device.type == "cuda" else None
    count = 0
    for network in (network for part in parts for network in _networks(part)):
        if not network.compiled:
            for block in outermost_blocks(network):
                sample_compiled(block, mode)
                count += 1
            bind: Any = partial(_bind, network.bind, device)
            network.compiled, network.bind = True, bind  # type: ignore[method-assign]
    return count


def _networks(part: nn.Module) -> Iterable[UNet]:
    """Return the networks that a stage plays, or those in another module."""
    if isinstance(part, Stage):
        return part.playing_networks()
    return [module for module in part.modules() if isinstance(module, UNet)]


def _bind(bind: Any, device: torch.device, *given: Any, **named: Any) -> Velocity:
    """Return a network's bound velocity, each evaluation of which begins its graphs anew."""
    bound, graphs = JumpVelocity.of(bind(*given, **named)), device.type == "cuda"

    def evaluate(x: Tensor, sigma: Tensor, target: Tensor | None) -> Tensor:
        if graphs:
            torch.compiler.cudagraph_mark_step_begin()
        with report_compile_errors():
            v = bound(x, sigma, target)
        return v.clone() if graphs else v  # the next evaluation writes over what graphs return

    return JumpVelocity(evaluate, jumps=bound.jumps)
