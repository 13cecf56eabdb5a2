"""Half precision: weights as float16, where that loses nothing that counts."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

ROUNDING = 2**-10
"""How far a number may be off, as a share of its tensor's largest: float16 is off by half of it."""


def to_half(stage: nn.Module, tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """Return a stage's tensors with its large parameters as float16, and the names of those not.

    Large are parameters of two dimensions or more. Biases, gains, statistics and what else is no
    parameter stay as they are, and so does, by name, a parameter whose numbers float16 can't hold.
    """
    large = {name for name, parameter in stage.named_parameters() if parameter.ndim >= 2}
    kept = [name for name in tensors if name in large and not _fits(tensors[name])]
    halves = {name: tensors[name].half() for name in tensors if name in large - set(kept)}
    return {**tensors, **halves}, kept


def _fits(tensor: Tensor) -> bool:
    """Return whether float16 holds a tensor: nothing overflows, and little is lost below."""
    if not tensor.is_floating_point() or not tensor.numel():
        return False
    exact = tensor.double()
    lost = (exact.half().double() - exact).abs().max()
    return bool(torch.isfinite(lost)) and bool(lost <= ROUNDING * exact.abs().max())
