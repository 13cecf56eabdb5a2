"""OneConvolution: the least stage there is, for suites that need some stage."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from mousai_kit import component
from mousai_kit.errors import RequestError
from mousai_kit.interfaces import Condition, NoiseSource, Request, Space, Stage


class OneConvolution(Stage):
    """One convolution that learns to repeat what it hears: the least that a stage can be."""

    name = "one-convolution"

    def __init__(self, options: component.Options, *, below: Space) -> None:
        super().__init__(options, below=below)
        self.below, self.space = below, below
        self.repeat = nn.Conv1d(below.channels, below.channels, 3, padding=1)

    def loss(
        self,
        signal: Tensor,
        prompts: Sequence[str],
        *,
        noise: NoiseSource,
        condition: Condition = "training",
    ) -> Tensor:
        """Return the mean squared error per clip [b]."""
        return (self.repeat(signal) - signal).square().mean((1, 2))

    def encode(self, signal: Tensor) -> Tensor:
        """Return the signal as it is."""
        return signal

    def decode(self, latents: Tensor | None, request: Request) -> Tensor:
        """Return the signal of latents."""
        if latents is None:
            raise RequestError("one-convolution needs a stage above it")
        repeated: Tensor = self.repeat(latents)
        return repeated[..., : self.below.frames(request.samples)]
