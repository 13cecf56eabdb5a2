"""Picture: how a library's durations, loudness, peaks and silence are spread."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mousai_kit.library.pieces import Piece

BINS = 40


def draw(path: Path, pieces: Sequence[Piece]) -> None:
    """Draw histograms of the pieces (PNG), those in `validation` over those in `train`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6.5), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, 2).ravel()
    heard = [it for it in pieces if it.measures is not None]
    _histogram(panels[0], "duration (s)", pieces, [it.seconds for it in pieces])
    measured = [(it, it.measures) for it in heard if it.measures is not None]
    loud = [(it, m.loudness) for it, m in measured if m.loudness is not None]
    _histogram(panels[1], "loudness (LUFS)", [it for it, _ in loud], [value for _, value in loud])
    _histogram(
        panels[2], "peak (dB of full scale)", heard, [_decibels(m.peak) for _, m in measured]
    )
    _histogram(panels[3], "silence (% of a track)", heard, [100 * m.silent for _, m in measured])
    figure.savefig(path, dpi=110)


def _histogram(axes: Any, title: str, pieces: Sequence[Piece], values: Sequence[float]) -> None:
    """Draw one panel; durations that spread over decades lie on a logarithmic axis."""
    axes.set_title(title, loc="left")
    axes.set_ylabel("tracks")
    if not values:
        return
    low, high = min(values), max(values)
    wide = low > 0 and high > 20 * low
    middle, half = (low + high) / 2, max(high - low, 1.0) / 2
    edges = (
        np.geomspace(low, high, BINS) if wide else np.linspace(middle - half, middle + half, BINS)
    )
    splits = {split: [] for split in ("train", "validation")}  # type: dict[str, list[float]]
    for piece, value in zip(pieces, values, strict=True):
        splits[piece.split].append(value)
    axes.hist(list(splits.values()), bins=edges, stacked=True, label=list(splits))
    axes.set_xscale("log" if wide else "linear")
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.ticklabel_format(axis="y" if wide else "both", useOffset=False, style="plain")
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=2)


def _decibels(peak: float) -> float:
    return max(-100.0, 20 * float(np.log10(max(peak, 1e-9))))
