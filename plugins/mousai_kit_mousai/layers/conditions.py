"""What a network listens to besides x. b batch, c channels, m modulation features, t time."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mousai_kit_mousai.layers.memory import Memory
from mousai_kit_mousai.layers.packing import Packing

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Conditioning:
    """The context and the text's memory of a network, and what was already worked out from them.

    What layers keep here must depend on the conditioning and the weights only, never on x.
    """

    context: Tensor | None = None
    memory: Memory | None = None
    packing: Packing | None = None
    """The weights packed for sampling; None: used as they are."""
    levels: dict[float, int] = field(default_factory=dict)
    """Noise levels that were told beforehand, and their row in `features`."""
    features: Tensor | None = None
    """The features [n, m] of the levels told beforehand."""
    _kept: dict[Hashable, Any] = field(default_factory=dict)

    def keep(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what was kept under `key`, made at the first call.

        With gradients it is made at every call: each pass has its own, and a block that is computed
        again (`mk.repeated`) must find nothing of the first time.
        """
        if torch.is_grad_enabled():
            return make()
        if key not in self._kept:
            self._kept[key] = make()
        kept: T = self._kept[key]
        return kept


@dataclass(frozen=True, slots=True)
class Conditions:
    """All that the layers are told in one pass: the noise level and the conditioning."""

    features: Tensor | None
    """The noise level's features [b, m], activated; None where `row` is given."""
    row: int
    """The level's row among those told beforehand, where there are no features."""
    fixed: Conditioning
    length: int
    """x's length before it was padded."""
    padded: int
    """x's length now; the context spans `length` of it."""

    def at_level(self, layer: nn.Linear, form: Callable[[Tensor], T]) -> T:
        """Return what a layer makes of the noise level, [b or 1, outputs], brought into a form."""
        if self.features is not None:
            return form(layer(self.features))
        told = self.fixed.features
        rows = self.fixed.keep(layer, lambda: [form(row) for row in layer(told).split(1)])
        return rows[self.row]

    def memory(self) -> Memory:
        """Return the text's memory; a network that attends to one checks that it is there."""
        assert self.fixed.memory is not None
        return self.fixed.memory

    def real(self, frames: int) -> int:
        """Return how many of a depth's `frames` frames are no padding."""
        return -(-frames * self.length // self.padded)

    def context(self, frames: int) -> Tensor:
        """Return the context [b, c, frames] at the rate of a depth where x has `frames` frames."""
        assert self.fixed.context is not None
        real = self.real(frames)
        resized = self.fixed.context
        if resized.shape[2] != real:
            resized = F.adaptive_avg_pool1d(resized, real)
        return F.pad(resized, (0, frames - real), mode="replicate") if frames > real else resized
