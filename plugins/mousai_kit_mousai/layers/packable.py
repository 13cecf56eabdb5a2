"""Packable: a network whose weights are packed while it samples on a CPU."""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import nn

import mousai_kit.api as mk
from mousai_kit_mousai.layers.packing import Packing


class Packable(nn.Module):
    """Keeps the packed weights of a network, and knows when they are out of date."""

    _settled = False
    _packed: tuple[list[tuple[int, int]], dict[torch.dtype, Packing]] | None = None

    @property
    def on_cpu(self) -> bool:
        """Return whether the weights are on a CPU."""
        return next(self.parameters()).device.type == "cpu"

    def packing(self) -> Packing | None:
        """Return the packed weights in the precision asked for, packed anew after any change."""
        if not Packing.available() or next(self.parameters()).dtype != torch.float32:
            return None
        autocast = torch.is_autocast_enabled("cpu")
        dtype = torch.get_autocast_dtype("cpu") if autocast else torch.float32
        if self._settled:
            return self._settled_in(dtype)
        state = [(p.data_ptr(), p._version) for p in self.parameters()]
        if self._packed is None or self._packed[0] != state:
            self._packed = state, {}
        return self._packed[1].setdefault(dtype, Packing(dtype))

    def settle(self) -> None:
        """Sample only, from now on: packed weights then take the place of those they stand for.

        After the first sample the network has no state dict and samples in that precision alone.
        """
        self._packed = None
        self._settled = self.on_cpu and Packing.available()

    def train(self, mode: bool = True) -> Self:
        """Switch training on or off; what was packed for sampling is let go."""
        if not self._settled:
            self._packed = None
        return super().train(mode)

    def _save_to_state_dict(
        self, destination: dict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        """Refuse a state dict where packed weights have taken the place of those asked for."""
        if self._settled and self._packed is not None:
            raise mk.MousaiError(
                "the network is settled for sampling; load the weights anew to keep them"
            )
        super()._save_to_state_dict(destination, prefix, keep_vars)

    def _settled_in(self, dtype: torch.dtype) -> Packing:
        if self._packed is None:
            self._packed = [], {dtype: Packing(dtype, replaces=True)}
        if dtype not in self._packed[1]:
            first = next(iter(self._packed[1]))
            raise mk.MousaiError(f"the network is settled for {first}, not for {dtype}")
        return self._packed[1][dtype]
