"""Loudness: how loud the music is to be, moment by moment.

Legend: b batch, c channels, t time in samples, n frames.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Self

import numpy as np
import torch
from pydantic import model_validator
from torch import Tensor
from torch.nn.functional import avg_pool1d, pad

import mousai_kit.api as mk
from mousai_kit_conditioning.told_file import read_told_file

HOP = 0.1
"""Seconds of a frame: those of a meter's block."""
FLOOR = -60.0
"""LUFS that count as silence, -1 in data; 0 LUFS are 1."""
Point = Annotated[list[float], mk.Field(min_length=2, max_length=2)]
"""Seconds, and the loudness in LUFS there."""


class Loudness(mk.Conditioner):
    """Loudness over time, momentary as of ITU-R BS.1770-4: 400 ms, in LUFS, ten times a second.

    Data [1, n] is -1 at -60 LUFS and below, 1 at 0 LUFS. The context is data as it is. Audio of one
    channel is as loud as from two speakers.
    """

    name = "loudness"
    tokens = 0
    context_channels = 1

    class Value(mk.Options):
        """A loudness to follow: a file's, or a line through points."""

        file: mk.LocalPath | None = mk.Field(
            None, description="sound file that is as loud as the music is to be, moment by moment"
        )
        start: float = mk.Field(0.0, ge=0, description="seconds of the file before what is heard")
        points: list[Point] | None = mk.Field(
            None,
            min_length=1,
            description="[seconds, LUFS] of points with straight lines between them",
        )

        @model_validator(mode="after")
        def _one_is_given(self) -> Self:
            if (self.file is None) == (self.points is None):
                raise ValueError("must have a file or points, one of them")
            seconds = [second for second, _ in self.points or []]
            if any(second < 0 for second in seconds):
                raise ValueError("points must be at 0 seconds or later")
            if any(later <= earlier for earlier, later in pairwise(seconds)):
                raise ValueError("points must be in the order of their seconds, no two at one")
            return self

    def __init__(
        self, options: mk.ConditionerOptions, *, space: mk.SignalSpace, text_features: int
    ) -> None:
        super().__init__(options, space=space, text_features=text_features)
        self.sample_rate = space.sample_rate
        self.hop = round(HOP * space.sample_rate)

    def from_clip(self, clip: mk.Clip) -> Tensor:
        """Return the loudness [1, n] of a clip."""
        return _normalise(self._measure(clip.wave))

    def from_value(self, value: mk.Options, *, samples: int) -> Tensor:
        """Return the loudness [1, n] that is asked for; beyond its end it stays as it was there.

        AudioError where a file can't be read, lasts no tenth of a second, or is silent.
        """
        assert isinstance(value, self.Value)
        count = -(-samples // self.hop)
        if value.points is not None:
            middles = (np.arange(count) + 0.5) * (self.hop / self.sample_rate)
            seconds, levels = np.array(value.points, dtype=float).T
            curve = np.interp(middles, seconds, levels)
            return _normalise(torch.from_numpy(curve))
        wave = read_told_file(
            value.file or "",
            sample_rate=self.sample_rate,
            channels=2,
            start=value.start,
            samples=samples,
            hop=self.hop,
        )
        data = _normalise(self._measure(wave))
        return pad(data, (0, count - data.shape[1]), mode="replicate")

    def forward(self, data: Tensor, *, frames: int) -> Tensor:
        """Return data [b, 1, n] as the context."""
        return data

    def _measure(self, wave: Tensor) -> Tensor:
        """Return the momentary loudness [n] of audio [c, t] in LUFS."""
        left = wave.shape[1] % self.hop
        meter = mk.LoudnessMeter(self.sample_rate, len(wave))
        meter.add(pad(wave, (0, -left % self.hop)).numpy().T)
        power = torch.from_numpy(meter.block_powers[0]) * (2 / len(wave))
        if left:
            power[-1] *= self.hop / left
        around = pad(power[None], (2, 2), mode="replicate")
        momentary = (avg_pool1d(around, 3, 1)[:, 1:-1] * 3 + avg_pool1d(around, 5, 1) * 5) / 8
        return -0.691 + 10 * momentary[0].clamp(min=1e-12).log10()


def _normalise(loudness: Tensor) -> Tensor:
    """Return loudness [n] in LUFS as data [1, n], -1 to 1."""
    return (1 - 2 * loudness / FLOOR).clamp(-1, 1).float()[None]
