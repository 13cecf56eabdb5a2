"""Tones: chords and pulses made on the spot, so that tests need no files.

Legend: c channels, t time in samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import pi

import torch
from torch import Tensor

import mousai_kit.api as mk

ROOTS = {"low": 110.0, "high": 440.0, "middle": 220.0}
"""Frequency in Hz of a chord's lowest note."""
SHAPES = {"saw": (1, 2, 3, 4), "sine": (1,), "square": (1, 3, 5)}
"""Harmonics, each as loud as its number is small."""
KINDS = {"chord": (1.0, 5 / 4, 3 / 2), "fifth": (1.0, 3 / 2), "note": (1.0,)}
"""Frequencies of the notes that sound together, as multiples of the root's."""
SPEEDS = {"slow": 1.0, "fast": 4.0, "held": 0.0}
"""Beats per second."""
VARIETY = 81
"""Kinds of tone there are."""
STEP = 40
"""From one tone's number to the next one's: all four words change, and no tone comes twice."""
APART = 7_919
"""Samples between the moments at which tones are heard."""
MINUTE = 60
"""Seconds of a tone in which clips begin."""
LOUDNESS = 0.5
"""Highest possible peak."""


class Tones(mk.Dataset):
    """Chords and pulses made on the spot, for tests; captions such as `low saw chord, slow`."""

    name = "tones"

    class Options(mk.Options):
        """Options of `dataset: tones`."""

        tracks: int = mk.Field(8, ge=1, le=60, description="tones to learn from")
        held_out: int = mk.Field(2, ge=1, le=20, description="further tones, for validation")

    def __init__(
        self,
        options: Options,
        *,
        sample_rate: int,
        channels: int,
        length: int,
        split: mk.Split,
    ) -> None:
        self.sample_rate, self.channels, self.length = sample_rate, channels, length
        first = 0 if split == "train" else options.tracks
        count = options.tracks if split == "train" else options.held_out
        self.tones = [number * STEP % VARIETY for number in range(first, first + count)]

    def __len__(self) -> int:
        """Return the number of tones."""
        return len(self.tones)

    def clip(self, index: int, epoch: int = 0) -> mk.Clip:
        """Return a tone, heard from another moment in every epoch."""
        words = _words(self.tones[index])
        start = (index + epoch * len(self)) * APART % (MINUTE * self.sample_rate)
        wave = self._wave(*words, start)
        return mk.Clip(
            wave,
            _caption(*words),
            f"tone {self.tones[index]}",
            start=start / self.sample_rate,
            track_seconds=MINUTE + self.length / self.sample_rate,
            facts=dict(zip(("register", "shape", "kind", "speed"), words, strict=True)),
        )

    def captions(self) -> Iterator[str]:
        """Yield each tone's caption."""
        return (_caption(*_words(tone)) for tone in self.tones)

    def _wave(self, root: str, shape: str, kind: str, speed: str, start: int) -> Tensor:
        """Return the tone [c, length] from sample `start` on; each channel a little higher."""
        seconds = torch.arange(start, start + self.length, dtype=torch.float64) / self.sample_rate
        beat = torch.exp(-3 * (seconds * SPEEDS[speed] % 1))
        partials = [
            (ROOTS[root] * ratio * harmonic, 1 / harmonic)
            for ratio in KINDS[kind]
            for harmonic in SHAPES[shape]
        ]
        wave = torch.zeros(self.channels, self.length, dtype=torch.float64)
        for channel in range(self.channels):
            turns = seconds * (1 + 0.001 * channel)
            for frequency, weight in partials:
                if frequency < self.sample_rate / 2:
                    wave[channel] += weight * torch.sin(2 * pi * (turns * frequency % 1))
        return (LOUDNESS / sum(weight for _, weight in partials) * beat * wave).float()


def _words(tone: int) -> tuple[str, str, str, str]:
    """Return register, shape, kind and speed of a tone by its number, 0 .. 80."""
    tables = (list(ROOTS), list(SHAPES), list(KINDS), list(SPEEDS))
    root, shape, kind, speed = (table[tone // 3**place % 3] for place, table in enumerate(tables))
    return root, shape, kind, speed


def _caption(root: str, shape: str, kind: str, speed: str) -> str:
    return f"{root} {shape} {kind}, {speed}"
