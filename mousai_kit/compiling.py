"""torch's compiler, a block of a network at a time; equal blocks share what it made."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn

from mousai_kit.errors import TrainingError, first_line

VARIANTS = 64
"""Versions of one block's code, by shapes and options, before the rest runs uncompiled."""
NEEDED = "on a CPU a C++ compiler such as g++, on CUDA Triton, which comes with torch"
KEPT_IN = "TORCHINDUCTOR_CACHE_DIR"
"""The environment variable that says where torch keeps what it compiled."""


class CompileError(TrainingError):
    """torch's compiler is not there, can't do a block, or was ended while it was at it."""


def compiled(block: nn.Module) -> Callable[..., Any]:
    """Return a module's `forward`, compiled at its first call with tensors of other shapes.

    A `forward` that this one module was given is returned as it is.
    """
    if "forward" in vars(block):
        return block.forward
    return partial(_compiled(type(block).forward), block)


@contextmanager
def compiler_told() -> Iterator[None]:
    """Raise CompileError where torch's compiler fails, forward or backward, inside."""
    from torch._dynamo.exc import TorchDynamoException  # with all of the compiler: slow to load

    try:
        yield
    except TorchDynamoException as error:
        cause = getattr(error, "inner_exception", error)
        raise CompileError(f"torch's compiler fails: {first_line(cause)}") from error


def check_compiler(device: torch.device) -> None:
    """Compile a line and its gradient, and run them; CompileError where a device can't have it."""
    with compiler_told():
        _compiled(_line)(torch.ones(8, device=device, requires_grad=True)).backward()


def _line(x: Tensor) -> Tensor:
    return (x.sin() * x).sum()


@cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    from torch._dynamo import config
    from torch._inductor.runtime.cache_dir_utils import default_cache_dir

    config.recompile_limit = max(config.recompile_limit, VARIANTS)
    if os.environ.get(KEPT_IN) in (None, default_cache_dir()):  # torch writes it there on its own
        os.environ[KEPT_IN] = _folder()
    return torch.compile(function, dynamic=False)


def _folder() -> str:
    """Return a folder that only this process knows, and that goes with it.

    torch's own choice is a name in the system's temporary folder that anybody can foresee, and it
    runs the code that it finds there.
    """
    folder = tempfile.mkdtemp(prefix="mousai-kit-compiled-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
