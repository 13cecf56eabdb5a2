"""What the rules of U-Nets share: networks for every set of conditionings, and their input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, ClassVar

import torch
from torch import Tensor

from mousai_kit.component import Component
from mousai_kit.interfaces import UNet
from mousai_kit.testing.given import CHANNELS, CONTEXT, FEATURES, Given
from mousai_kit.testing.network import NetworkContract, stirred
from mousai_kit.testing.returned import forwards_tensors

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
        )
        return forwards_tensors(network, "v, a tensor of x's shape")

    def network(self, *, seed: int = 0, hearing: Sequence[str] | None = None) -> Any:
        """Return the network, stirred."""
        return stirred(self.fresh(seed=seed, hearing=hearing))

    def inputs(self, *, device: str = "cpu") -> Sequence[Any]:
        """Return x, sigma, context and the text's tensors, as far as the network hears them."""
        given = self.given(self.fresh())
        return [it if it is None else it.to(device) for it in given.tensors()]

    def answer(self, network: Any, inputs: Sequence[Any]) -> Tensor:
        """Return the velocity."""
        return Given.of(inputs).to(network)

    def given(self, network: Any, hearing: Sequence[str] | None = None, **sizes: int) -> Given:
        """Return what a network may be given."""
        heard = self.hears if hearing is None else hearing
        length = sizes.pop("length", FRAMES * network.downsampling)
        return Given.drawn(heard, length=length, **sizes)

    def each(self) -> Iterator[tuple[Any, Given]]:
        """Yield a network for every set of conditionings that it can hear, and what it is given."""
        for kept in product((True, False), repeat=len(self.hears)):
            hearing = [it for it, keep in zip(self.hears, kept, strict=True) if keep]
            network = self.network(hearing=hearing).eval()
            yield network, self.given(network, hearing)
