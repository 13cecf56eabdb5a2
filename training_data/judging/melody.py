"""Melody: whether clips follow the melody that they were given, and remain of their style.

A clip is asked for with the style of a held-out track and the melody of its middle, and once more
without a melody; hums are sines with vibrato. The figure is the metric `melody`: how like the
notes are that lead, 1 the same, about 0 others.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import pi
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import mousai_kit.api as mk
from judging.crops import Track, read_tracks
from judging.reconstruction import another, middle, write_clip
from mousai_kit import audio
from mousai_kit.core.console import Screen

CONDITION = "melody"
HUMS = (
    (60, 64, 67, 72, 65, 69, 62, 71),
    (69, 67, 66, 64, 62, 64, 66, 69),
    (57, 60, 59, 62, 64, 60, 57, 56),
    (72, 74, 76, 79, 77, 76, 74, 72),
    (63, 66, 70, 68, 65, 61, 63, 58),
)
"""Melodies that are hummed, as MIDI notes of one length."""
VIBRATO, TREMBLES = 0.3, 5.5
"""Semitones to each side of a hum's note, and how often in a second."""


def judge_melodies(
    cascade: mk.Pipeline, library: Path, out: Path, screen: Screen, *, seconds: float
) -> dict[str, Any]:
    """Return the figures of each held-out track and of each hum, and their means.

    `out` gets the melodies that were given, and in `with` and `without` the clips, for `sort`.
    """
    tracks = read_tracks(library, "held_out")
    given = _Given(cascade, out / "given", seconds)
    waves = [middle(track, cascade.recipe)[:, : given.samples] for track in tracks]
    rows, hums, left_out = [], [], {}
    with screen.bar("melodies", 2 * len(tracks) + len(HUMS)) as bar:
        for number, (track, wave) in enumerate(zip(tracks, waves, strict=True)):
            try:
                told = given.make(track, number, wave)
            except mk.RequestError as error:  # no note stands out in it, say
                left_out[track.name] = str(error)
                bar.advance(2, note=track.name)
                continue
            free = given.make(track, number, None)
            other = waves[another(tracks, number)]
            figures = given.compare(told, wave, other) | {"without": given.likeness(free, wave)}
            rows.append({"track": track.name, "style": track.style, **figures})
            for way, made in (("with", told), ("without", free)):
                write_clip(out / way / f"{track.name}.flac", made, given.rate, track)
            bar.advance(2, note=track.name)
        if not rows:
            raise mk.RequestError(next(iter(left_out.values())))
        sung = [hum(notes, given.samples, given.rate) for notes in HUMS]
        for number, wave in enumerate(sung):
            track = tracks[number * len(tracks) // len(HUMS)]
            made = given.make(track, f"hum-{number}", wave)
            write_clip(out / "hums" / f"hum-{number}.flac", made, given.rate, track)
            hums.append({"style": track.style, **given.compare(made, wave, sung[number - 1])})
            bar.advance(note=f"hum {number}")
    figures = {"mean": _mean(rows), "hums": _mean(hums), "tracks": rows, "each hum": hums}
    return {**figures, "left_out": left_out}


def table(result: dict[str, Any]) -> str:
    """Return means as text."""
    without = f", {len(result['left_out'])} left out" if result["left_out"] else ""
    rows = ((f"held-out tracks{without}", result["mean"]), ("hums", result["hums"]))
    return "\n".join(
        f"{name}: " + ", ".join(f"{what} {value:.3f}" for what, value in mean.items())
        for name, mean in rows
    )


class _Given:
    """Melodies as files in a folder, and what a system makes of them."""

    def __init__(self, cascade: mk.Pipeline, folder: Path, seconds: float) -> None:
        self.cascade, self.folder, self.seconds = cascade, folder, seconds
        self.rate = cascade.recipe.audio.sample_rate
        self.samples = round(seconds * self.rate)
        self._metric = mk.build(mk.Metric, CONDITION, sample_rate=self.rate)

    def make(self, track: Track, seed: int | str, melody: Tensor | None) -> Tensor:
        """Return a clip [c, t] of a track's style, with the melody of audio [c, t] or without."""
        conditions = {}
        if melody is not None:
            path = self.folder / f"{track.name if isinstance(seed, int) else seed}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            audio.write(path, melody, sample_rate=self.rate, tags={})
            conditions[CONDITION] = str(path)
        number = seed if isinstance(seed, int) else 0
        made = self.cascade.generate(
            track.style, seconds=self.seconds, seed=number, conditions=conditions
        )
        return made.audio

    def likeness(self, ours: Tensor, theirs: Tensor) -> float:
        """Return how like the melodies of two sounds [c, t] are."""
        return round(self._metric.score(ours[None], theirs[None]), 4)

    def compare(self, made: Tensor, asked: Tensor, other: Tensor) -> dict[str, float]:
        """Return how like a clip is to the melody asked for, and to another."""
        return {"asked": self.likeness(made, asked), "another's": self.likeness(made, other)}


def _mean(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return the means of all numbers in rows."""
    names = [name for name, value in rows[0].items() if isinstance(value, float)]
    return {name: round(float(np.mean([row[name] for row in rows])), 4) for name in names}


def hum(notes: Sequence[int], samples: int, rate: int) -> Tensor:
    """Return notes of one length as a sine with vibrato [1, t]."""
    time = np.arange(samples) / rate
    heights = np.array(notes, float)[np.arange(samples) * len(notes) // samples]
    hertz = 440 * 2 ** ((heights + VIBRATO * np.sin(2 * pi * TREMBLES * time) - 69) / 12)
    return torch.from_numpy(0.3 * np.sin(2 * pi * np.cumsum(hertz) / rate)).float()[None]
