"""What a network listens to besides x. b batch, c channels, m modulation features, t time."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch.nn.functional as F
from torch import Tensor

import mousai_kit.api as mk

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Conditioning:
    """The context and the text of a network, and what was already worked out from them.

    What layers keep here must depend on the conditioning and the weights only, never on x.
    """

    context: Tensor | None = None
    text: mk.Text | None = None
    _kept: dict[Hashable, Any] = field(default_factory=dict)

    def keep(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what was kept under `key`, made at the first call."""
        if key not in self._kept:
            self._kept[key] = make()
        kept: T = self._kept[key]
        return kept


@dataclass(frozen=True, slots=True)
class Conditions:
    """All that the layers are told in one pass: the noise level and the conditioning."""

    features: Tensor
    """The noise level's features [b, m], activated."""
    fixed: Conditioning
    length: int
    """x's length before it was padded."""
    padded: int
    """x's length now; the context spans `length` of it."""

    def text(self) -> mk.Text:
        """Return the text; a network that attends to one checks first that it is there."""
        assert self.fixed.text is not None
        return self.fixed.text

    def context(self, frames: int) -> Tensor:
        """Return the context [b, c, frames] at the rate of a depth where x has `frames` frames."""
        real = -(-frames * self.length // self.padded)
        return self.fixed.keep((frames, real), lambda: self._resized(real, frames - real))

    def _resized(self, real: int, padding: int) -> Tensor:
        """Return the context at `real` frames, and its last frame `padding` times more."""
        assert self.fixed.context is not None
        resized = self.fixed.context
        if resized.shape[2] != real:
            resized = F.adaptive_avg_pool1d(resized, real)
        return F.pad(resized, (0, padding), mode="replicate") if padding else resized
