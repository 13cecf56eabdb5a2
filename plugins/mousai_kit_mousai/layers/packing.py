"""Weights in the layout that the processor's matrix units read, for a network used many times.

oneDNN, which computes torch's products on CPUs, otherwise rearranges each weight at every call. So
a network samples as a copy of itself, whose layers keep packed weights; no gradients pass there.
Legend: b batch, t time in frames, c channels in, o channels out, k frames under the kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mousai_kit.api as mk

Weights = Callable[[], tuple[Tensor, Tensor | None]]
"""A layer's method that returns a weight and a bias, which is asked once where they are packed."""
Owned = tuple[Tensor, ...]
M = TypeVar("M", bound=nn.Module)


LOWER = {
    torch.bfloat16: "_is_mkldnn_bf16_supported",
    torch.float16: "_is_mkldnn_fp16_supported",
}
"""What tells whether a processor has products of a type: one without AVX-512 has none."""


@dataclass(frozen=True, slots=True)
class Packing:
    """How weights are packed.

    Products of many channels are computed in `dtype`. With fewer than 16 channels in they stay in
    float32: there the matrix units gain nothing, and norms in bfloat16 are slow. Where packed
    weights `replace` the others, those are let go, so that they lie in memory once.
    """

    dtype: torch.dtype
    replace: bool = False

    @staticmethod
    def available(dtype: torch.dtype = torch.float32) -> bool:
        """Return whether this torch and processor have oneDNN's packed products of a type."""
        if dtype in LOWER and not getattr(torch.ops.mkldnn, LOWER[dtype])():
            return False
        return torch.backends.mkldnn.is_available() and all(
            hasattr(torch.ops.mkldnn, name)
            for name in ("_linear_pointwise", "_convolution_pointwise", "_reorder_linear_weight")
        )

    def type_of(self, channels: int) -> torch.dtype:
        """Return the type in which frames of so many channels are kept."""
        return self.dtype if channels >= 16 else torch.float32


class Packable(nn.Module):
    """A layer whose products read packed weights, each packed when first used, in a packed copy.

    `owned` are large parameters that nothing but the weights reads.
    """

    packing: Packing | None = None
    """None: the weights are used as they are, and learn."""
    _packed: dict[str, tuple[Tensor, Tensor | None]]

    def project(
        self, x: Tensor, weights: Weights, plus: Tensor | None = None, *, owned: Owned = ()
    ) -> Tensor:
        """Map x [b, t, c] with a weight [o, c] to [b, t, o], and add `plus`."""
        if self.packing is None:
            weight, bias = weights()
            if plus is None:
                return F.linear(x, weight, bias)
            if bias is not None:
                return F.linear(x, weight, bias) + plus
            return torch.addmm(plus.flatten(0, 1), x.flatten(0, 1), weight.t()).view_as(plus)
        rows = x.shape[0] * x.shape[1]
        reorder = torch.ops.mkldnn._reorder_linear_weight
        weight, bias = self._pack(weights, owned, lambda item: reorder(item.contiguous(), rows))
        x = x.to(weight.dtype)
        if plus is None:
            return torch.ops.mkldnn._linear_pointwise.default(x, weight, bias, "none", [], "")
        return torch.ops.mkldnn._linear_pointwise.binary(x, plus, weight, bias, "add")

    def convolve(
        self,
        image: Tensor,
        weights: Weights,
        plus: Tensor | None = None,
        *,
        padding: int,
        stride: int = 1,
        owned: Owned = (),
    ) -> Tensor:
        """Map an image [b, c, 1, t] with a weight [o, c, k] to [b, o, 1, t'], and add `plus`."""
        if self.packing is None:
            weight, bias = weights()
            y = F.conv2d(image, weight.unsqueeze(2), bias, (1, stride), (0, padding))
            return y if plus is None else y + plus
        sizes = (0, padding), (1, stride), (1, 1), 1
        reorder = torch.ops.mkldnn._reorder_convolution_weight
        weight, bias = self._pack(
            weights,
            owned,
            lambda item: reorder(item.unsqueeze(2).contiguous(), *sizes, list(image.shape)),
        )
        image = image.to(weight.dtype)
        if plus is None:
            return torch.ops.mkldnn._convolution_pointwise.default(
                image, weight, bias, *sizes, "none", [], ""
            )
        return torch.ops.mkldnn._convolution_pointwise.binary(
            image, plus, weight, bias, *sizes, "add", 1.0, None, [], None
        )

    def _pack(
        self, weights: Weights, owned: Owned, reorder: Callable[[Tensor], Tensor]
    ) -> tuple[Tensor, Tensor | None]:
        """Return the packed weights of a method of this layer."""
        key = weights.__name__
        if key not in self._packed:
            assert self.packing is not None
            weight, bias = weights()
            dtype = self.packing.type_of(weight.shape[0])
            bias = None if bias is None else bias.to(dtype, copy=self.packing.replace)
            self._packed[key] = reorder(weight.to(dtype)), bias
            for parameter in owned if self.packing.replace else ():
                parameter.untyped_storage().resize_(0)
        return self._packed[key]


def pack(module: M, packing: Packing) -> M:
    """Return a copy of a module that has the same parameters, and packs them."""
    copy = object.__new__(type(module))  # FSDP's classes can't be made by copy.copy
    copy.__dict__.update(module.__dict__)
    copy._modules = {
        name: None if child is None else pack(child, packing)
        for name, child in module._modules.items()
    }
    if isinstance(copy, Packable):
        copy.packing, copy._packed = packing, {}
    return copy


class PackableNetwork(Packable):
    """Keeps a network's packed copies, and knows when they are out of date."""

    _settled = False
    _copies: _Copies | None = None

    @property
    def on_cpu(self) -> bool:
        """Return whether the weights are on a CPU."""
        return next(self.parameters()).device.type == "cpu"

    def pack(self) -> Self:
        """Return the copy that samples in the precision asked for, made anew after any change.

        The network itself, where there is nothing to gain.
        """
        autocast = torch.is_autocast_enabled("cpu")
        dtype = torch.get_autocast_dtype("cpu") if autocast else torch.float32
        kept = self._copies.by_type if self._settled and self._copies is not None else {}
        if kept and dtype not in kept:
            told = f"the network is settled for {next(iter(kept))}, not for {dtype}"
            raise mk.MousaiError(told)
        if not Packing.available(dtype) or next(self.parameters()).dtype != torch.float32:
            return self
        state = [] if self._settled else [(p.data_ptr(), p._version) for p in self.parameters()]
        if self._copies is None or self._copies.state != state:
            self._copies = _Copies(state)
        copies = self._copies.by_type
        if dtype not in copies:
            copies[dtype] = pack(self, Packing(dtype, replace=self._settled))
            copies[dtype]._copies = None
        return copies[dtype]

    def prepare_for_inference(self) -> None:
        """Sample only, from now on: packed weights then take the place of those they stand for.

        After the first sample the network has no state dict and samples in that precision alone.
        """
        self._copies = None
        self._settled = self.on_cpu and Packing.available()

    def train(self, mode: bool = True) -> Self:
        """Switch training on or off; what was packed for sampling is let go."""
        if not self._settled:
            self._copies = None
        return super().train(mode)

    def _save_to_state_dict(
        self, destination: dict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        """Refuse a state dict where packed weights have taken the place of those asked for."""
        if self._settled and self._copies is not None:
            raise mk.MousaiError(
                "the network is settled for sampling; load the weights anew to keep them"
            )
        super()._save_to_state_dict(destination, prefix, keep_vars)


class _Copies:
    """A network's packed copies by precision, and the state of the weights they are made of."""

    def __init__(self, state: list[tuple[int, int]]) -> None:
        self.state = state
        self.by_type: dict[torch.dtype, Any] = {}

    def __deepcopy__(self, memo: object) -> _Copies:
        return _Copies([])  # packed weights can't be copied
