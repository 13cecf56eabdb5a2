"""Weights that are about to be loaded, and so need not be drawn first, which takes long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

M = TypeVar("M", bound=nn.Module)


def build_to_load(build: Callable[[], M]) -> M:
    """Return what `build` makes, with numbers of no meaning for weights that its state dict has.

    `build` is called once more, and draws all weights, where one of them is in no state dict.
    """
    with SkipInit() as mode:
        module = build()
    loaded = {id(tensor) for tensor in module.state_dict(keep_vars=True).values()}
    return module if all(id(weight) in loaded for weight in mode.skipped) else build()


class SkipInit(TorchFunctionMode):
    """Leaves parameters as they were allocated where they would be drawn at random."""

    def __init__(self) -> None:
        super().__init__()
        self.skipped: list[Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if is_random_init(func):
            weight = args[0] if args else kwargs["tensor"]
            if isinstance(weight, nn.Parameter) and not weight.is_meta:
                self.skipped.append(weight)
                return weight
        return func(*args, **kwargs)


def is_random_init(func: Any) -> bool:
    """Return whether a function draws the values of the tensor that it is given."""
    if getattr(func, "__module__", "") == nn.init.__name__:
        return func.__name__ in _RANDOM
    return func in (Tensor.normal_, Tensor.uniform_)


_RANDOM = {
    *("uniform_", "normal_", "trunc_normal_", "orthogonal_", "sparse_"),
    *("xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_"),
}
