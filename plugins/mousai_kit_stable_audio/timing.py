"""Timing as Stable Audio's network knows it: when a clip begins, and how long all is."""

from __future__ import annotations

from typing import Self

import torch
from pydantic import model_validator
from torch import Tensor, nn

import mousai_kit.api as mk


class StableAudioTiming(mk.Conditioner):
    """Timing as two tokens of learned frequencies: seconds before a clip, and seconds in all.

    Data [2] is both, in seconds; NaN where one is not known. Where generation is told nothing, what
    it makes is a whole: it starts at 0 and is as long as what is asked for (Evans et al., 2024,
    arXiv 2404.10301, section 3.2). `unet: stable-audio-dit` is steered by both as a whole, too.
    """

    name = "stable-audio-timing"
    tokens = 2
    context_channels = 0

    class Options(mk.ConditionerOptions):
        """Options of `conditioner: stable-audio-timing`."""

        dropout: float = mk.Field(
            0.0, ge=0, le=1, description="how often training leaves it out; Stable Audio never does"
        )
        max_seconds: float = mk.Field(
            512.0, gt=0, description="what is later, or longer, counts as this"
        )
        frequencies: int = mk.Field(128, ge=1, description="learned frequencies, in turns over all")

    class Value(mk.Options):
        """A place in a track."""

        start: float = mk.Field(ge=0, description="seconds of the track before the clip")
        total: float = mk.Field(gt=0, description="seconds of the whole track")

        @model_validator(mode="after")
        def _starts_before_the_end(self) -> Self:
            if self.start >= self.total:
                raise ValueError(
                    f"start must be before the track's end (got start {self.start:g}, total "
                    f"{self.total:g})"
                )
            return self

    def __init__(self, options: Options, *, space: mk.SignalSpace, text_features: int) -> None:
        super().__init__(options, space=space, text_features=text_features)
        self.sample_rate = space.sample_rate
        self.start, self.total = (
            NumberEmbedding(options.max_seconds, options.frequencies, text_features)
            for _ in range(self.tokens)
        )

    def from_clip(self, clip: mk.Clip) -> Tensor:
        """Return start and length of track [2] in seconds, NaN where a clip does not tell."""
        known = (clip.start, clip.track_seconds)
        return torch.tensor([torch.nan if item is None else item for item in known])

    def from_value(self, value: mk.Options, *, samples: int) -> Tensor:
        """Return start and length of track [2] in seconds."""
        assert isinstance(value, self.Value)
        return torch.tensor([value.start, value.total])

    def from_nothing(self, *, samples: int) -> Tensor:
        """Return what a whole track of so many samples would tell [2]."""
        return torch.tensor([0.0, samples / self.sample_rate])

    def advance(self, data: Tensor, *, seconds: float) -> Tensor:
        """Return data [b, 2] whose start is so many seconds later, but not behind the end."""
        start, total = data.unbind(1)
        return torch.stack([torch.minimum(start + seconds, total), total], 1)

    def forward(self, data: Tensor, *, frames: int) -> Tensor:
        """Return the tokens [b, 2, d] of data [b, 2]."""
        return torch.stack([self.start(data[:, 0]), self.total(data[:, 1])], 1)


class NumberEmbedding(nn.Module):
    """A number in [0, `most`] as a vector, by its sines and cosines at learned frequencies."""

    def __init__(self, most: float, frequencies: int, features: int) -> None:
        super().__init__()
        self.most = most
        self.frequencies = nn.Parameter(torch.randn(frequencies))
        self.leave = nn.Linear(1 + 2 * frequencies, features)

    def forward(self, number: Tensor) -> Tensor:
        """Return vectors [b, d] of numbers [b]."""
        part = (number / self.most).clamp(0, 1)[:, None].to(self.frequencies.dtype)
        angle = 2 * torch.pi * part * self.frequencies
        return self.leave(torch.cat([part, angle.sin(), angle.cos()], 1))
