"""Melody: the notes that are to be heard, from music or from a hum.

Legend: b batch, k bins of pitch, n frames.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import pad

import mousai_kit.api as mk
from mousai_kit_conditioning.pitch import Kind, track_melody
from mousai_kit_conditioning.told_file import read_told_file

FIRST_OCTAVE = 4
"""The octave from C3 on, counted from MIDI note 0: the lowest where several are told apart."""


class Melody(mk.Conditioner):
    """Melody as one pitch class at a time (chroma), so that no timbre is told (Copet et al., 2023).

    Data [k, n] is 1 in the bin of the note that stands out in a frame, and 0 where none does. The
    context is data as it is.
    """

    name = "melody"
    tokens = 0

    class Options(mk.ConditionerOptions):
        """Options of `conditioner: melody`."""

        bins: Literal[12, 24, 36] = mk.Field(
            12,
            description="12: notes without their octave, so that one can be hummed in any; 24, 36: "
            "two or three octaves from C3 on, notes beyond them in the nearest",
        )
        rate: float = mk.Field(12.0, gt=0, le=100, description="frames in a second")
        lowest: float = mk.Field(
            150.0, ge=0, le=1000, description="Hz below which music is not heard: its bass"
        )

    class Value(mk.Options):
        """A melody to follow."""

        file: mk.LocalPath = mk.Field(
            description="sound file: a hum, a whistle, an instrument, music; where it ends before "
            "the clip, no melody is told"
        )
        start: float = mk.Field(0.0, ge=0, description="seconds from which on it is heard")
        kind: Kind = mk.Field(
            "auto",
            description="voice: one voice or instrument alone, in any tuning; music: the highest "
            "line of several; auto: what it sounds like",
        )

    def __init__(self, options: Options, *, space: mk.SignalSpace, text_features: int) -> None:
        super().__init__(options, space=space, text_features=text_features)
        self.context_channels = options.bins
        self.sample_rate, self.lowest = space.sample_rate, options.lowest
        self.hop = max(1, round(space.sample_rate / options.rate))

    def from_clip(self, clip: mk.Clip) -> Tensor:
        """Return the melody [k, n] of a clip, all 0 where there is none."""
        return self._data(self._notes(clip.wave, "auto"))

    def from_value(self, value: mk.Options, *, samples: int) -> Tensor:
        """Return the melody [k, n] of a file; AudioError where it has none."""
        assert isinstance(value, self.Value)
        wave = read_told_file(
            value.file,
            sample_rate=self.sample_rate,
            channels=1,
            start=value.start,
            samples=samples,
            hop=self.hop,
        )
        notes = self._notes(wave, value.kind)
        if notes.isnan().all():
            told = "has no note that stands out; hum or whistle it nearer to the microphone"
            raise mk.audio_error(Path(value.file), told)
        data = self._data(notes)
        return pad(data, (0, -(-samples // self.hop) - data.shape[1]))

    def forward(self, data: Tensor, *, frames: int) -> Tensor:
        """Return data [b, k, n] as the context."""
        return data

    def _notes(self, wave: Tensor, kind: Kind) -> Tensor:
        """Return the notes [n] of audio [c, t], NaN where there is none."""
        return track_melody(wave, self.sample_rate, hop=self.hop, lowest=self.lowest, kind=kind)

    def _data(self, notes: Tensor) -> Tensor:
        """Return notes [n] as data [k, n]."""
        there = notes.isfinite()
        whole = notes.nan_to_num().long()
        octave = (whole // 12 - FIRST_OCTAVE).clamp(0, self.context_channels // 12 - 1)
        hot = torch.nn.functional.one_hot(12 * octave + whole % 12, self.context_channels)
        return (hot * there[:, None]).T.float()
