"""What a network listens to besides x: a context, a text, the noise level.

Legend: b batch, c channels, m modulation features, t time, n tokens, d features.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mousai_kit.api as mk
from mousai_kit_mousai.layers.layout import layer_norm

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Conditioning:
    """The context and the text's memory of a network, and what was already worked out from them.

    What layers keep here must depend on the conditioning and the weights only, never on x.
    """

    context: Tensor | None = None
    memory: TextMemory | None = None
    levels: dict[float, int] = field(default_factory=dict)
    """Noise levels that were told beforehand, and their row in `features`."""
    features: Tensor | None = None
    """The features [n, m] of the levels told beforehand."""
    _kept: dict[Hashable, Any] = field(default_factory=dict)

    def keep(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what was kept under `key`, made at the first call.

        With gradients it is made at every call: each pass has its own, and a block that is computed
        again (`recompute: true`) must find nothing of the first time.
        """
        if torch.is_grad_enabled():
            return make()
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]


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

    def modulation(self, layer: nn.Linear, form: Callable[[Tensor], T]) -> T:
        """Return what a layer makes of the noise level, [b or 1, outputs], brought into a form."""
        if self.features is not None:
            return form(layer(self.features))
        told = self.fixed.features
        rows = self.fixed.keep(layer, lambda: [form(row) for row in layer(told).split(1)])
        return rows[self.row]

    def memory(self) -> TextMemory:
        """Return the text's memory; a network that attends to one checks that it is there."""
        assert self.fixed.memory is not None
        return self.fixed.memory

    def real_frames(self, frames: int) -> int:
        """Return how many of a depth's `frames` frames are no padding."""
        return -(-frames * self.length // self.padded)

    def context(self, frames: int) -> Tensor:
        """Return the context [b, c, frames] at the rate of a depth where x has `frames` frames."""
        assert self.fixed.context is not None
        real = self.real_frames(frames)
        resized = self.fixed.context
        if resized.shape[2] != real:
            resized = F.adaptive_avg_pool1d(resized, real)
        return F.pad(resized, (0, frames - real), mode="replicate") if frames > real else resized


@dataclass(frozen=True, slots=True)
class TextMemory:
    """A text's tokens as every layer sees them, and which of them it does not see."""

    tokens: Tensor
    """Normalised [b, n, d]; what is hidden is zero."""
    hidden: Tensor | None
    """True where a token [b, n] has no influence; None where every one has."""

    @classmethod
    def of(cls, text: mk.TextEmbedding) -> TextMemory:
        """Return a text's memory; gradients reach its embedding."""
        hidden = None if _is_whole(text) else ~text.mask
        return cls(layer_norm(mask_to_zero(text.embedding, hidden, (2,))), hidden)

    def visible(self) -> Tensor | None:
        """Return where a softmax looks [b, 1, 1, n], None: everywhere.

        One over nothing is not a number, so a text without any token is looked at everywhere.
        """
        if self.hidden is None:
            return None
        return (~self.hidden | self.hidden.all(dim=1, keepdim=True))[:, None, None, :]


def mask_to_zero(x: Tensor, hidden: Tensor | None, dims: tuple[int, ...]) -> Tensor:
    """Return x with zeros where `hidden` [b, n], spread over `dims`, says so."""
    if hidden is None:
        return x
    for dim in dims:
        hidden = hidden.unsqueeze(dim)
    return x.masked_fill(hidden, 0)


def _is_whole(text: mk.TextEmbedding) -> bool:
    """Return whether every token is real, where asking does not keep a GPU waiting."""
    return text.mask.device.type == "cpu" and bool(text.mask.all())
