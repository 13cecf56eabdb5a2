"""Weights in the layout that the processor's matrix units read, for a network used many times.

oneDNN, which computes torch's products on CPUs, otherwise rearranges each weight at every call.
Legend: b batch, t time in frames, c channels in, o channels out, k frames under the kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Weights:
    """What a product needs, and what it is made of."""

    made: Callable[[], tuple[Tensor, Tensor | None]]
    """Returns the weight and the bias: asked at every call, or once, when they are packed."""
    owned: tuple[Tensor, ...] = ()
    """Large parameters that nothing else reads."""


class Packing:
    """A network's weights, packed when first used; no gradients pass.

    Products of many channels are computed in `dtype`. With fewer than `NARROW` channels in they
    stay in float32: there the matrix units gain nothing, and norms in bfloat16 are slow. Where it
    `replaces` the weights, those that were packed are let go, so that they lie in memory once.
    """

    NARROW = 16

    def __init__(self, dtype: torch.dtype, *, replaces: bool = False) -> None:
        self.dtype, self.replaces = dtype, replaces
        self._kept: dict[Hashable, tuple[Tensor, Tensor | None]] = {}

    def __deepcopy__(self, memo: object) -> Packing:
        return Packing(self.dtype, replaces=self.replaces)

    @staticmethod
    def available() -> bool:
        """Return whether this torch has oneDNN's packed products."""
        return torch.backends.mkldnn.is_available() and all(
            hasattr(torch.ops.mkldnn, name)
            for name in ("_linear_pointwise", "_convolution_pointwise", "_reorder_linear_weight")
        )

    def type_of(self, channels: int) -> torch.dtype:
        """Return the type in which frames of so many channels are kept."""
        return self.dtype if channels >= self.NARROW else torch.float32

    def linear(self, key: Hashable, x: Tensor, weights: Weights, plus: Tensor | None) -> Tensor:
        """Map x [b, t, c] with a weight [o, c] to [b, t, o], and add `plus`."""
        if key not in self._kept:
            rows = x.shape[0] * x.shape[1]
            self._pack(
                key,
                weights,
                lambda it: torch.ops.mkldnn._reorder_linear_weight(it.contiguous(), rows),
            )
        weight, bias = self._kept[key]
        x = x.to(weight.dtype)
        result: Tensor
        if plus is None:
            result = torch.ops.mkldnn._linear_pointwise.default(x, weight, bias, "none", [], "")
        else:
            result = torch.ops.mkldnn._linear_pointwise.binary(x, plus, weight, bias, "add")
        return result

    def convolution(
        self,
        key: Hashable,
        image: Tensor,
        weights: Weights,
        plus: Tensor | None,
        *,
        padding: int,
        stride: int = 1,
    ) -> Tensor:
        """Map an image [b, c, 1, t] with a weight [o, c, k] to [b, o, 1, t'], and add `plus`."""
        sizes = (0, padding), (1, stride), (1, 1), 1
        if key not in self._kept:
            self._pack(
                key,
                weights,
                lambda it: torch.ops.mkldnn._reorder_convolution_weight(
                    it.unsqueeze(2).contiguous(), *sizes, list(image.shape)
                ),
            )
        weight, bias = self._kept[key]
        image = image.to(weight.dtype)
        result: Tensor
        if plus is None:
            result = torch.ops.mkldnn._convolution_pointwise.default(
                image, weight, bias, *sizes, "none", [], ""
            )
        else:
            result = torch.ops.mkldnn._convolution_pointwise.binary(
                image, plus, weight, bias, *sizes, "add", 1.0, None, [], None
            )
        return result

    def _pack(self, key: Hashable, weights: Weights, packed: Callable[[Tensor], Tensor]) -> None:
        weight, bias = weights.made()
        kind = self.type_of(weight.shape[0])
        shift = None if bias is None else bias.to(kind, copy=self.replaces)
        self._kept[key] = packed(weight.to(kind)), shift
        if self.replaces:
            for owned in weights.owned:
                owned.untyped_storage().resize_(0)
