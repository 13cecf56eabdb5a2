"""Timing: where in a track of which length a clip is (Evans et al., 2024, arXiv 2402.04825).

Legend: b batch, d features of a token.
"""

from __future__ import annotations

from typing import Self

import torch
from pydantic import model_validator
from torch import Tensor, nn

import mousai_kit.api as mk

FREQUENCIES = 10
"""How many sines and cosines of seconds there are: of half a turn over all of them, of a turn, of
two, and so on."""


class Timing(mk.Conditioner):
    """Timing as two tokens: the second at which a clip starts, and the seconds of its track.

    Data [2] is both, in seconds; NaN where one is not known.
    """

    name = "timing"
    tokens = 2
    context_channels = 0

    class Options(mk.ConditionerOptions):
        """Options of `conditioner: timing`."""

        max_seconds: float = mk.Field(
            512.0, gt=0, description="what is later, or longer, counts as this"
        )

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
        self.max_seconds = options.max_seconds
        features = 1 + 2 * FREQUENCIES
        self.project = nn.ModuleList(nn.Linear(features, text_features) for _ in range(self.tokens))

    def from_clip(self, clip: mk.Clip) -> Tensor:
        """Return start and length of track [2] in seconds, NaN where a clip does not tell."""
        known = (clip.start, clip.track_seconds)
        return torch.tensor([torch.nan if item is None else item for item in known])

    def from_value(self, value: mk.Options, *, samples: int) -> Tensor:
        """Return start and length of track [2] in seconds."""
        assert isinstance(value, self.Value)
        return torch.tensor([value.start, value.total])

    def advance(self, data: Tensor, *, seconds: float) -> Tensor:
        """Return data [b, 2] whose start is so many seconds later, but not behind the end."""
        start, total = data.unbind(1)
        return torch.stack([torch.minimum(start + seconds, total), total], 1)

    def forward(self, data: Tensor, *, frames: int) -> Tensor:
        """Return the tokens [b, 2, d] of data [b, 2]."""
        part = (data / self.max_seconds).clamp(0, 1)[:, :, None]
        turns = 0.5 * 2 ** torch.arange(FREQUENCIES, device=data.device)
        angles = 2 * torch.pi * turns * part
        features = torch.cat([2 * part - 1, angles.sin(), angles.cos()], 2)
        features = features.to(next(self.parameters()).dtype)
        tokens = [layer(features[:, at]) for at, layer in enumerate(self.project)]
        return torch.stack(tokens, 1)
