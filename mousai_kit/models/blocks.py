"""Networks' repeated blocks: computed again in the backward pass, or compiled."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mousai_kit.core.errors import TrainingError, error_summary
from mousai_kit.core.interfaces import Conditioner, SpectralEncoder, TextEncoder, UNet

Forward = Callable[..., Any]

VARIANTS = 64
"""Versions of one block's code, by shapes and options, before the rest runs uncompiled."""
NEEDED = "on a CPU a C++ compiler such as g++, on CUDA Triton, which comes with torch"
KEPT_IN = "TORCHINDUCTOR_CACHE_DIR"
"""The environment variable that says where torch keeps what it compiled."""


class CompileError(TrainingError):
    """torch's compiler is not there, can't do a block, or was ended while it was at it."""


@contextmanager
def wrap_blocks(
    stage: nn.Module, *, recompute: bool = False, compiled: bool = False
) -> Iterator[None]:
    """Let the `repeated_blocks` of a stage's networks compute again, run compiled, or both, inside.

    With `recompute` only what a block was given is kept for the backward pass, which calls the
    block once more; randomness and autocast are as at the first call. Blocks that do the same to
    the same shapes share their compiled code. Without gradients a block runs as it is. A block
    inside another is the outer one's part. Hooks on a block are called once, as ever, and not
    compiled: FSDP's put other tensors, alike but for their strides, in place of those given.
    """
    forwards = _forwards(stage, recompute, compiled) if recompute or compiled else {}
    before = {block: vars(block).get("forward") for block in forwards}
    for block, forward in forwards.items():
        block.forward = partial(_run_wrapped, forward, block.forward)
    try:
        yield
    finally:
        for block, own in before.items():
            del block.forward
            if own is not None:
                block.forward = own


def _forwards(stage: nn.Module, recompute: bool, compiled: bool) -> dict[nn.Module, Forward]:
    """Return the outermost repeated blocks, and what takes the place of each one's `forward`."""
    forwards = {}
    for network in stage.modules():
        if isinstance(network, UNet | SpectralEncoder | TextEncoder | Conditioner):
            for block in network.repeated_blocks():
                # a text encoder's are another library's code as a rule, and quick as they are
                whole = not compiled or isinstance(network, TextEncoder)
                forward = block.forward if whole else _compile_forward(block)
                recomputed = partial(checkpoint, forward, use_reentrant=False)
                forwards[block] = recomputed if recompute else forward
    return {block: forwards[block] for block in _outermost(forwards)}


def outermost_blocks(network: UNet) -> list[nn.Module]:
    """Return a network's repeated blocks but for those inside another."""
    return _outermost([*network.repeated_blocks()])


def _outermost(blocks: Collection[nn.Module]) -> list[nn.Module]:
    inner = {module for block in blocks for module in block.modules() if module is not block}
    return [block for block in blocks if block not in inner]


def sample_compiled(block: nn.Module, mode: str | None) -> None:
    """Let a block run compiled, in a mode of torch's, wherever no gradient is asked for."""
    plain = block.forward
    block.forward = partial(_run_wrapped, plain, _compile_forward(block, mode))


def _run_wrapped(trained: Forward, sampled: Forward, *given: Any, **named: Any) -> Any:
    return (trained if torch.is_grad_enabled() else sampled)(*given, **named)


def _compile_forward(block: nn.Module, mode: str | None = None) -> Forward:
    """Return a block's `forward`, compiled at its first call with tensors of other shapes.

    A `forward` that this one module was given is returned as it is.
    """
    if "forward" in vars(block):
        return block.forward
    return partial(_compile(type(block).forward, mode), block)


@contextmanager
def report_compile_errors() -> Iterator[None]:
    """Raise CompileError where torch's compiler fails, forward or backward, inside."""
    from torch._dynamo.exc import TorchDynamoException  # with all of the compiler: slow to load

    try:
        yield
    except TorchDynamoException as error:
        cause = getattr(error, "inner_exception", error)
        raise CompileError(f"torch's compiler fails: {error_summary(cause)}") from error


def check_compiler(device: torch.device) -> None:
    """Compile a line and its gradient, and run them; CompileError where a device can't have it."""
    with report_compile_errors(), torch.enable_grad():
        _compile(_line)(torch.ones(8, device=device, requires_grad=True)).backward()


def _line(x: Tensor) -> Tensor:
    return (x.sin() * x).sum()


@cache
def _compile(function: Forward, mode: str | None = None) -> Forward:
    from torch._dynamo import config
    from torch._inductor.runtime.cache_dir_utils import default_cache_dir

    config.recompile_limit = max(config.recompile_limit, VARIANTS)
    if os.environ.get(KEPT_IN) in (None, default_cache_dir()):  # torch writes it there on its own
        os.environ[KEPT_IN] = _folder()
    return torch.compile(function, dynamic=False, mode=mode)


def _folder() -> str:
    """Return a folder that only this process knows, and that goes with it.

    torch's own choice is a name in the system's temporary folder that anybody can foresee, and it
    runs the code that it finds there.
    """
    folder = tempfile.mkdtemp(prefix="mousai-kit-compiled-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
