"""Domain: the coordinates in which a stage diffuses."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from mousai_kit.core.component import Component, Options


@dataclass(frozen=True, slots=True)
class ChannelLayout:
    """What the channels of x are: for each of `audio_channels` one after another, its `bands`.

    Channel `c * bands + k` is band k of audio channel c (of mid and side, where a domain has them).
    """

    bands: int
    audio_channels: int

    @property
    def channels(self) -> int:
        """Return how many channels there are."""
        return self.bands * self.audio_channels


class Domain(Component, nn.Module):
    """Shows audio in other coordinates: x [b, channels, t / stride].

    Built with `audio_channels`, and with `sample_rate` (Hz) where the constructor takes it
    (`sample_rate: int | None = None`): what fits one rate only refuses others with mk.RequestError,
    which is told where the recipe has the domain. What is measured from data is kept in buffers.
    Nothing is drawn at random, no clip of a batch influences another, and what is given is not
    changed.
    """

    kind: ClassVar[str] = "domain"
    build_kwargs: ClassVar[tuple[str, ...]] = ("audio_channels",)
    optional_build_kwargs: ClassVar[tuple[str, ...]] = ("sample_rate",)

    channels: int
    """Channels of x."""
    stride: int
    """Samples per frame of x."""
    context_frames: int = 0
    """Frames on either side of a stretch of x that have a say in its audio."""
    layout: ChannelLayout | None = None
    """What the channels of x are, for networks that ask; None: in no such order."""

    def __init__(self, options: Options, *, audio_channels: int) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, wave: Tensor) -> Tensor:
        """Return x [b, channels, t / stride] for audio [b, c, t], t a multiple of `stride`.

        x is float32 and has about unit variance once measured; white noise in x is white noise in
        the audio.
        """

    @abstractmethod
    def inverse(self, x: Tensor, length: int) -> Tensor:
        """Return the audio [b, c, length] that x shows, length at most x's frames * stride."""

    def stream(self, pieces: Iterable[Tensor], length: int) -> Iterator[Tensor]:
        """Yield in pieces the audio [b, c, length] that x shows, which comes in pieces itself.

        Each piece is inverted with `context_frames` frames of its neighbours. It is heard
        when the next has come.
        """
        before: Tensor | None = None  # frames of x not heard yet, after `lead` that have been
        lead = 0
        for piece, after in pairwise(chain(pieces, [None])):
            assert piece is not None
            x = piece if before is None else torch.cat([before, piece], -1)
            end = x.shape[-1] - (0 if after is None else self.context_frames)
            if end > lead and length:
                wave = self.inverse(x, x.shape[-1] * self.stride)
                heard = wave[..., lead * self.stride : end * self.stride][..., :length]
                length -= heard.shape[-1]
                yield heard
            end = max(end, lead)
            lead = min(self.context_frames, end)
            before = x[..., end - lead :]

    def channel_weights(self) -> Tensor | None:
        """Return how much each channel's error counts [channels], 1 on average; None: all alike."""
        return None

    def fit_statistics(self, waves: Iterable[Tensor]) -> None:
        """Measure what must be known before training, from audio [b, c, t]; default: nothing.

        The waves can be gone through once. Silence, or none at all, must leave a usable domain.
        """
