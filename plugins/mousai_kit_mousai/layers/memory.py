"""What cross-attention looks at: a text, read once. b batch, n tokens, d features."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

import mousai_kit.api as mk
from mousai_kit_mousai.layers.frames import normalised


@dataclass(frozen=True, slots=True)
class Memory:
    """A text's tokens as every layer sees them, and which of them it does not see."""

    tokens: Tensor
    """Normalised [b, n, d]; what is hidden is zero."""
    hidden: Tensor | None
    """True where a token [b, n] has no influence; None where every one has."""

    @classmethod
    def of(cls, text: mk.Text) -> Memory:
        """Return a text's memory; gradients reach its embedding."""
        hidden = None if _is_whole(text) else ~text.mask
        return cls(normalised(cleared(text.embedding, hidden, (2,))), hidden)

    def visible(self) -> Tensor | None:
        """Return where a softmax looks [b, 1, 1, n], None: everywhere.

        One over nothing is not a number, so a text without any token is looked at everywhere.
        """
        if self.hidden is None:
            return None
        return (~self.hidden | self.hidden.all(dim=1, keepdim=True))[:, None, None, :]


def cleared(x: Tensor, hidden: Tensor | None, dims: tuple[int, ...]) -> Tensor:
    """Return x with zeros where `hidden` [b, n], spread over `dims`, says so."""
    if hidden is None:
        return x
    for dim in dims:
        hidden = hidden.unsqueeze(dim)
    return x.masked_fill(hidden, 0)


def _is_whole(text: mk.Text) -> bool:
    """Return whether every token is real, where asking does not keep a GPU waiting."""
    return text.mask.device.type == "cpu" and bool(text.mask.all())
