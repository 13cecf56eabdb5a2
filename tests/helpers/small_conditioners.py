"""Conditioners of the smallest size: a place in the track as tokens, loudness as a context."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import nn

import mousai_kit.api as mk
from mousai_kit.core.component import Use


class Place(mk.Conditioner):
    """Where in its track a clip begins."""

    name = "small-place"

    class Value(mk.Options):
        """A place."""

        start: float = mk.Field(0.0, ge=0, description="seconds into the track")
        total: float | None = mk.Field(None, gt=0, description="seconds of the track")

    def __init__(self, options, *, space, text_features):
        super().__init__(options, space=space, text_features=text_features)
        self.tokens, self.context_channels = 2, 0
        self.enter = nn.Linear(2, 2 * text_features)

    def from_clip(self, clip):
        if clip.start is None or clip.track_seconds is None:
            return None
        return torch.tensor([clip.start, clip.track_seconds]) / 100

    def from_value(self, value, *, samples):
        return torch.tensor([value.start, value.total or value.start + 1]) / 100

    def forward(self, data, *, frames):
        return self.enter(data).unflatten(1, (2, -1))


class Loudness(mk.Conditioner):
    """How loud a clip is over time."""

    name = "small-loudness"

    class Options(mk.ConditionerOptions):
        """Options."""

        frames: int = mk.Field(4, ge=1, description="frames of a clip")

    class Value(mk.Options):
        """A file that is as loud."""

        file: mk.LocalPath = mk.Field(description="audio to follow")
        gain: float = mk.Field(1.0, ge=0, description="factor")

    seen: ClassVar[list[mk.Clip]] = []

    def __init__(self, options, *, space, text_features):
        super().__init__(options, space=space, text_features=text_features)
        self.tokens, self.context_channels, self.frames = 0, 3, options.frames
        self.rate = space.sample_rate
        self.enter = nn.Conv1d(1, 3, 1)

    def from_clip(self, clip):
        self.seen.append(clip)
        return F.adaptive_avg_pool1d(clip.wave.square().mean(0, keepdim=True), self.frames)

    def from_value(self, value, *, samples):
        wave = mk.read(Path(value.file), sample_rate=self.rate, channels=1)
        if not wave.any():
            raise mk.RequestError(f"{value.file}: is silent")
        return value.gain * self.from_clip(mk.Clip(wave[:, :samples], ""))

    def forward(self, data, *, frames):
        return self.enter(data)


def both(**options):
    """Return what a recipe says of both."""
    return {
        "place": Use(Place, Place.Options(**options)),
        "loudness": Use(Loudness, Loudness.Options(**options)),
    }
