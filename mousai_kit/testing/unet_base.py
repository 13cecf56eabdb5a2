"""What the rules of U-Nets share: networks for every set of conditionings, and their input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, ClassVar, Self

import torch
from torch import Generator, Tensor

from mousai_kit.core.component import Component
from mousai_kit.core.interfaces import ChannelLayout, TextEmbedding, UNet
from mousai_kit.testing.assertions import forwards_tensors
from mousai_kit.testing.network import NetworkContract, perturb

CHANNELS, CONTEXT, FEATURES, TOKENS = 2, 3, 8, 5


@dataclass(frozen=True)
class UNetInputs:
    """A batch for a U-Net; a conditioning that it does not hear is None."""

    x: Tensor
    sigma: Tensor
    context: Tensor | None = None
    text: TextEmbedding | None = None

    @classmethod
    def draw(cls, hearing: Sequence[str], *, length: int, frames: int = 4, batch: int = 3) -> Self:
        """Return the same batch every time, with a context of `frames` frames."""
        generator = Generator().manual_seed(1)
        x = torch.randn(batch, CHANNELS, length, generator=generator)
        sigma = torch.linspace(0.2, 0.9, batch)
        context = torch.randn(batch, CONTEXT, frames, generator=generator).tanh()
        embedding = torch.randn(batch, TOKENS, FEATURES, generator=generator)
        text = TextEmbedding(embedding, torch.ones(batch, TOKENS, dtype=torch.bool))
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
        text = None if embedding is None or mask is None else TextEmbedding(embedding, mask)
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

    def change(self, **changes: Any) -> Self:
        """Return the batch with something else in its place."""
        return replace(self, **changes)

    def with_mask(self, mask: Tensor, *, filler: float = 0.0) -> Self:
        """Return the batch with a mask [b, n] over its text, and a number in what is masked."""
        assert self.text is not None
        embedding = self.text.embedding.masked_fill(~mask[:, :, None], filler)
        return replace(self, text=TextEmbedding(embedding, mask))

    def items(self) -> Iterator[Self]:
        """Yield each item as a batch of its own."""
        rows = [None if tensor is None else tensor.split(1) for tensor in self.tensors()]
        for place in range(len(self.x)):
            yield type(self).of([None if row is None else row[place] for row in rows])


FRAMES = 4
"""Frames at the lowest rate of what is denoised, where the length does not matter."""


class UNetSuite(NetworkContract):
    """Builds the U-Net for what it can hear.

    `options_with_context` and `options_with_text` are what `options` need besides where a network
    hears such things, if it has options that say so.
    """

    interface: ClassVar[type[Component]] = UNet
    hears: ClassVar[tuple[str, ...]] = ("context", "text")
    """The conditionings that it can be built for; what is not named, it must refuse."""
    options_with_context: ClassVar[Mapping[str, Any]] = {}
    options_with_text: ClassVar[Mapping[str, Any]] = {}

    def fresh(self, *, seed: int = 0, hearing: Sequence[str] | None = None) -> Any:
        """Return the network as it is built for some conditionings, all it can hear by default."""
        heard = self.hears if hearing is None else hearing
        context, text = "context" in heard, "text" in heard
        more = {**(self.options_with_context if context else {})}
        more |= self.options_with_text if text else {}
        torch.manual_seed(seed)
        network = self.use(**more).build(
            channels=CHANNELS,
            context_channels=CONTEXT if context else 0,
            text_features=FEATURES if text else 0,
            layout=ChannelLayout(1, CHANNELS),
        )
        return forwards_tensors(network, "v, a tensor of x's shape")

    def network(self, *, seed: int = 0, hearing: Sequence[str] | None = None) -> Any:
        """Return the network, stirred."""
        return perturb(self.fresh(seed=seed, hearing=hearing))

    def inputs(self, *, device: str = "cpu") -> Sequence[Any]:
        """Return x, sigma, context and the text's tensors, as far as the network hears them."""
        given = self.inputs_for(self.fresh())
        return [tensor if tensor is None else tensor.to(device) for tensor in given.tensors()]

    def answer(self, network: Any, inputs: Sequence[Any]) -> Tensor:
        """Return the velocity."""
        return UNetInputs.of(inputs).to(network)

    def inputs_for(
        self, network: Any, hearing: Sequence[str] | None = None, **sizes: int
    ) -> UNetInputs:
        """Return what a network may be given."""
        heard = self.hears if hearing is None else hearing
        length = sizes.pop("length", FRAMES * network.downsampling)
        return UNetInputs.draw(heard, length=length, **sizes)

    def each(self) -> Iterator[tuple[Any, UNetInputs]]:
        """Yield a network for every set of conditionings that it can hear, and what it is given."""
        for kept in product((True, False), repeat=len(self.hears)):
            hearing = [item for item, keep in zip(self.hears, kept, strict=True) if keep]
            network = self.network(hearing=hearing).eval()
            yield network, self.inputs_for(network, hearing)
