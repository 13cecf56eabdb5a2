"""Sound file that a generator is told to follow, read as far as a clip is long."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

import mousai_kit.api as mk

SILENT = 1e-4
"""Amplitude (-80 dB of full scale) under which all is silence."""


def read_told_file(
    file: str, *, sample_rate: int, channels: int, start: float, samples: int, hop: int
) -> Tensor:
    """Return up to `samples` of a file's audio [channels, t] from `start` seconds on.

    AudioError where it can't be read, lasts less than `hop` samples, or is silent.
    """
    path = Path(file).expanduser()
    seconds = samples / sample_rate
    wave = mk.read(path, sample_rate=sample_rate, channels=channels, start=start, seconds=seconds)
    wave = wave[:, :samples]
    after = f" after {start:g} s" if start else ""
    if wave.shape[1] < min(hop, samples):
        least = hop / sample_rate
        told = f"lasts {wave.shape[1] / sample_rate:.3f} s{after}; {least:.3f} s are the least"
        raise mk.audio_error(path, told)
    if wave.abs().max() < SILENT:
        raise mk.audio_error(path, f"is silent{after} for the {seconds:.1f} s of the clip")
    return wave
