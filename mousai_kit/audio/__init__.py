"""Audio files: read, write, resample.

Legend: c channels, t time in samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from mousai_kit.audio.mel import log_mel
from mousai_kit.audio.sound_file import decoded, fault, opened, shown
from mousai_kit.audio.strip import MelStrip, picture
from mousai_kit.audio.tags import tags_of
from mousai_kit.audio.take import FORMATS, SILENCE, Take

__all__ = [
    "FORMATS",
    "SILENCE",
    "AudioInfo",
    "MelStrip",
    "Take",
    "log_mel",
    "mixed",
    "picture",
    "probe",
    "read",
    "resample",
    "shown",
    "tags_of",
    "write",
]


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a file's header says."""

    frames: int
    sample_rate: int
    channels: int

    @property
    def seconds(self) -> float:
        """Return the duration."""
        return self.frames / self.sample_rate


def probe(path: Path, file: BinaryIO | None = None) -> AudioInfo:
    """Return what an audio file's header says; AudioError where it can't be read or is empty.

    `file` is the audio, open, where it lies within another; `path` is then what it is called.
    """
    with opened(path, file) as sound:
        return AudioInfo(sound.frames, sound.samplerate, sound.channels)


def read(
    path: Path,
    file: BinaryIO | None = None,
    *,
    sample_rate: int,
    channels: int,
    start: float = 0.0,
    seconds: float | None = None,
) -> Tensor:
    """Return audio [channels, t], float32, decoding only what is asked for.

    `start` and `seconds` count in the file's own time; where it ends sooner, t is less. Other
    rates are resampled (`sample_rate` in Hz); mono is repeated, more channels than asked for are
    averaged into each. Samples may exceed 1. `file` is as in `probe`. AudioError where the audio is
    unreadable, shorter than `start` or than its header says, or not finite.
    """
    with opened(path, file) as sound:
        rate, first = sound.samplerate, round(start * sound.samplerate)
        left = sound.frames - first
        if left <= 0:
            end = sound.frames / rate
            raise fault(path, f"has nothing at {start:.2f} s; it is {end:.2f} s long")
        count = left if seconds is None else min(left, ceil(seconds * rate - 1e-6))
        data = torch.from_numpy(decoded(path, sound, first, count))
    if not data.sum().isfinite():  # the sum of one NaN or infinity and others
        raise fault(path, "holds samples that are not finite (NaN or infinity); leave it out")
    return resample(mixed(data.T, channels), rate, sample_rate)


def mixed(wave: Tensor, channels: int) -> Tensor:
    """Return audio [c, t] with another number of channels: repeated, or averaged into each."""
    if len(wave) == channels:
        return wave.contiguous()
    if len(wave) == 1:
        return wave.repeat(channels, 1)
    return wave.mean(0, keepdim=True).repeat(channels, 1)


def resample(wave: Tensor, old: int, new: int) -> Tensor:
    """Return audio [..., t] at `new` Hz that was at `old` Hz.

    A ratio with large terms is taken as the nearest one with small terms, less than a cent away:
    the filter grows with them, to gigabytes for 44,101 Hz.
    """
    if old == new:
        return wave
    from mousai_kit.pure_torchaudio import torchaudio

    ratio = Fraction(old, new).limit_denominator(1000)
    result: Tensor = torchaudio.functional.resample(wave, ratio.numerator, ratio.denominator)
    return result


def write(path: Path, wave: Tensor, *, sample_rate: int, tags: Mapping[str, str]) -> None:
    """Write audio [c, t] to a FLAC, WAV or Ogg Vorbis file (by suffix), with tags.

    Peaks above 1 are scaled down as a whole. AudioError, and no file, where the audio is silent
    (peak under -80 dB of full scale) or not finite, or where the disk refuses.
    """
    with Take(path, sample_rate=sample_rate, channels=len(wave)) as take:
        take.add(wave)
        take.write(tags)
