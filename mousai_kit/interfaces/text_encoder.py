"""Text encoder: prompts become token embeddings."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from mousai_kit.component import Component, Options


@dataclass(frozen=True, slots=True)
class Text:
    """Encoded texts: `embedding` [b, n, d] and `mask` [b, n], true where a token is real."""

    embedding: Tensor
    mask: Tensor

    def __len__(self) -> int:
        return len(self.embedding)

    @staticmethod
    def blank(count: int, tokens: int, features: int, *, device: torch.device) -> Text:
        """Return texts without content: shapes are all that counts on the meta device."""
        mask = torch.ones(count, tokens, dtype=torch.bool, device=device)
        return Text(torch.zeros(count, tokens, features, device=device), mask)

    @staticmethod
    def joined(*texts: Text) -> Text:
        """Return texts of equal n and d as one batch, in order."""
        return Text(
            torch.cat([text.embedding for text in texts]), torch.cat([text.mask for text in texts])
        )


class TextEncoder(Component, nn.Module):
    """Turns prompts into token embeddings.

    The number of tokens n is the same in every call, so that a text's place in a batch changes
    nothing. What the mask leaves out may have any value. An empty prompt is allowed.
    Parameters that require a gradient are learned with the stage; frozen ones belong outside
    the module's state, so that a checkpoint does not repeat them.
    """

    kind: ClassVar[str] = "text_encoder"
    wiring: ClassVar[tuple[str, ...]] = ()

    features: int
    """d: the size of a token's embedding."""
    tokens: int
    """n: the number of tokens that every text is padded or cut to."""

    def __init__(self, options: Options) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, prompts: Sequence[str]) -> Text:
        """Encode prompts (b of them), on the module's device; embeddings are float32.

        Any text has a finite encoding, the same alone and in any batch: what is too long is cut,
        and a lone surrogate is no error.
        """

    def ready(self) -> None:
        """Fetch what must be there before anything trains (a model, say); default: nothing."""

    def prepare(self, captions: Sequence[str]) -> None:
        """Learn what must be known before training, such as a vocabulary; default: nothing."""
