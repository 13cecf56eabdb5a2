"""Weights in the layout that the processor's matrix units read, for a network used many times.

oneDNN, which computes torch's products on CPUs, otherwise rearranges each weight at every call.
Legend: b batch, t time in frames, c channels in, o channels out, k frames under the kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

import torch
from torch import Tensor

Weights = Callable[[], tuple[Tensor, Tensor | None]]
"""Returns a weight and a bias; asked once, when they are packed."""


class Packing:
    """A network's weights, packed when first used; no gradients pass.

    Products of many channels are computed in `dtype`. With fewer than `NARROW` channels in they
    stay in float32: there the matrix units gain nothing, and norms in bfloat16 are slow.
    """

    NARROW = 16

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self._kept: dict[Hashable, tuple[Tensor, Tensor | None]] = {}

    def __deepcopy__(self, memo: object) -> Packing:
        return Packing(self.dtype)

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
            weight, bias = self._typed(weights)
            rows = x.shape[0] * x.shape[1]
            packed = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), rows)
            self._kept[key] = packed, bias
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
            weight, bias = self._typed(weights)
            packed = torch.ops.mkldnn._reorder_convolution_weight(
                weight.unsqueeze(2).contiguous(), *sizes, list(image.shape)
            )
            self._kept[key] = packed, bias
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

    def _typed(self, weights: Weights) -> tuple[Tensor, Tensor | None]:
        weight, bias = weights()
        kind = self.type_of(weight.shape[0])
        return weight.to(kind), None if bias is None else bias.to(kind)
