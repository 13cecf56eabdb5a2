"""Waveform: a picture of a clip's loudness over time, whose width is its length."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mousai_kit import audio

WIDTH, HEIGHT = 1200, 240
QUIET = 1e-3
"""Nothing softer is drawn as if it were loud."""
INK, GROUND, CHOSEN = (249, 115, 22), (39, 39, 42), (120, 70, 30)
"""Colours of the wave, of what is behind it, and of what is behind the range that is chosen."""


def waveform_picture(
    path: Path, chosen: tuple[float, float] | None = None
) -> npt.NDArray[np.uint8]:
    """Return a picture [height, width, 3] of an audio file, its loudest sample at the edge.

    A range of seconds is marked.
    """
    info = audio.audio_info(path)
    wave = audio.read(path, sample_rate=info.sample_rate, channels=1)[0].numpy()
    edges = np.linspace(0, len(wave), WIDTH + 1).astype(int)
    peaks = np.array([np.abs(wave[a : max(b, a + 1)]).max(initial=0.0) for a, b in pairwise(edges)])
    heights = np.maximum(1, peaks / max(peaks.max(), QUIET) * HEIGHT / 2)
    rows = np.abs(np.arange(HEIGHT) - HEIGHT / 2)[:, None]
    picture = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    picture[:] = GROUND
    if chosen is not None:
        start, stop = (round(WIDTH * second / info.seconds) for second in chosen)
        picture[:, start : max(stop, start + 1)] = CHOSEN
    picture[rows <= heights] = INK
    return picture


def second_at(column: int, seconds: float) -> float:
    """Return the second of a clip at a column of its picture, to a hundredth."""
    return round(seconds * min(max(column, 0), WIDTH) / WIDTH, 2)
