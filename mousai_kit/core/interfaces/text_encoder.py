"""Text encoder: prompts become token embeddings."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from mousai_kit.core.component import Component, Options


@dataclass(frozen=True, slots=True)
class TextEmbedding:
    """Encoded texts: `embedding` [b, n, d] and `mask` [b, n], true where a token is real."""

    embedding: Tensor
    mask: Tensor

    def __len__(self) -> int:
        return len(self.embedding)

    @staticmethod
    def blank(count: int, tokens: int, features: int, *, device: torch.device) -> TextEmbedding:
        """Return texts without content: shapes are all that counts on the meta device."""
        mask = torch.ones(count, tokens, dtype=torch.bool, device=device)
        return TextEmbedding(torch.zeros(count, tokens, features, device=device), mask)

    @staticmethod
    def concatenate(*texts: TextEmbedding) -> TextEmbedding:
        """Return texts of equal n and d as one batch, in order."""
        return TextEmbedding(
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
    build_kwargs: ClassVar[tuple[str, ...]] = ()

    features: int
    """d: the size of a token's embedding."""
    tokens: int
    """n: the number of tokens that every text is padded or cut to."""

    def __init__(self, options: Options) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, prompts: Sequence[str]) -> TextEmbedding:
        """Encode prompts (b of them), on the module's device; embeddings are float32.

        Any text has a finite encoding, the same alone and in any batch: what is too long is cut,
        and a lone surrogate is no error.
        """

    def download(self) -> None:
        """Fetch what must be there before anything trains (a model, say); default: nothing."""

    def fit_statistics(self, captions: Sequence[str]) -> None:
        """Learn what must be known before training, such as a vocabulary; default: nothing."""

    def repeated_blocks(self) -> Iterable[nn.Module]:
        """Return the modules that training may recompute, as `UNet`'s; default: none."""
        return ()

    def known_words(self) -> list[str] | None:
        """Return the words of the captions it learned from, the most frequent first.

        Default: None, for an encoder that can't tell, as one that was trained elsewhere.
        """
        return None

    def unknown_words(self, prompt: str) -> list[str] | None:
        """Return those words of a prompt that it never saw, in order; None where it can't tell."""
        return None

    def unread_text(self, prompt: str) -> str | None:
        """Return the end of a prompt that is cut off, as it has more than `tokens`.

        Empty where all of it is read. Default: None, for an encoder that can't tell.
        """
        return None
