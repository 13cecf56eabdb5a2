"""Domain: the coordinates in which a stage diffuses."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import ClassVar

from torch import Tensor, nn

from mousai_kit.component import Component, Options


class Domain(Component, nn.Module):
    """Shows audio in other coordinates: x [b, channels, t / stride].

    Built with `audio_channels`. What is measured from data is kept in buffers.
    """

    kind: ClassVar[str] = "domain"
    wiring: ClassVar[tuple[str, ...]] = ("audio_channels",)

    channels: int
    """Channels of x."""
    stride: int
    """Samples per frame of x."""

    def __init__(self, options: Options, *, audio_channels: int) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, wave: Tensor) -> Tensor:
        """Return x [b, channels, t / stride] for audio [b, c, t], t a multiple of `stride`."""

    @abstractmethod
    def inverse(self, x: Tensor, length: int) -> Tensor:
        """Return the audio [b, c, length] that x shows, length at most x's frames * stride."""

    def importance(self) -> Tensor | None:
        """Return how much each channel's error counts [channels], 1 on average; None: all alike."""
        return None

    def prepare(self, waves: Iterable[Tensor]) -> None:
        """Measure what must be known before training, from audio [b, c, t]; default: nothing."""
