"""What a U-Net is given in its contract: a noised signal, levels and conditionings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Generator, Tensor

from mousai_kit.interfaces import Text

CHANNELS, CONTEXT, FEATURES, TOKENS = 2, 3, 8, 5


@dataclass(frozen=True)
class Given:
    """A batch for a U-Net; a conditioning that it does not hear is None."""

    x: Tensor
    sigma: Tensor
    context: Tensor | None = None
    text: Text | None = None

    @classmethod
    def drawn(cls, hearing: Sequence[str], *, length: int, frames: int = 4, batch: int = 3) -> Self:
        """Return the same batch every time, with a context of `frames` frames."""
        generator = Generator().manual_seed(1)
        x = torch.randn(batch, CHANNELS, length, generator=generator)
        sigma = torch.linspace(0.2, 0.9, batch)
        context = torch.randn(batch, CONTEXT, frames, generator=generator).tanh()
        embedding = torch.randn(batch, TOKENS, FEATURES, generator=generator)
        text = Text(embedding, torch.ones(batch, TOKENS, dtype=torch.bool))
        return cls(
            x,
            sigma,
            context if "context" in hearing else None,
            text if "text" in hearing else None,
        )

    @classmethod
    def of(cls, tensors: Sequence[Tensor | None]) -> Self:
        """Return what `tensors` was made of."""
        x, sigma, context, embedding, mask = tensors
        assert x is not None
        assert sigma is not None
        text = None if embedding is None or mask is None else Text(embedding, mask)
        return cls(x, sigma, context, text)

    def tensors(self) -> list[Tensor | None]:
        """Return x, sigma, the context, the text's embedding and its mask."""
        embedding = None if self.text is None else self.text.embedding
        mask = None if self.text is None else self.text.mask
        return [self.x, self.sigma, self.context, embedding, mask]

    def to(self, network: Any) -> Tensor:
        """Return the network's velocity."""
        v: Tensor = network(self.x, self.sigma, context=self.context, text=self.text)
        return v

    def changed(self, **changes: Any) -> Self:
        """Return the batch with something else in its place."""
        return replace(self, **changes)

    def masked(self, mask: Tensor, *, filler: float = 0.0) -> Self:
        """Return the batch with a mask [b, n] over its text, and a number in what is masked."""
        assert self.text is not None
        embedding = self.text.embedding.masked_fill(~mask[:, :, None], filler)
        return replace(self, text=Text(embedding, mask))

    def items(self) -> Iterator[Self]:
        """Yield each item as a batch of its own."""
        rows = [None if it is None else it.split(1) for it in self.tensors()]
        for place in range(len(self.x)):
            yield type(self).of([None if row is None else row[place] for row in rows])
