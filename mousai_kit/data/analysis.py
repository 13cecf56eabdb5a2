"""Summary: what a library holds and what is wrong with it, as plain values.

Picture: how a library's durations, loudness, peaks and silence are spread.

Checking: all of a data set looked at, with a progress bar, and the report written.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mousai_kit.core.console import Screen
from mousai_kit.core.interfaces import Dataset, Split
from mousai_kit.data.combined import holds_tracks
from mousai_kit.data.duplicates import exact_duplicates, near_duplicates, split_leaks
from mousai_kit.data.track_stats import TrackStats, count, pieces, pieces_with_stats

Facts = dict[str, Any]
CLIPPED = 0.001
"""Share of clipped samples from which on a track counts as clipped."""
SILENT = 0.5
"""Share of silence from which on a track counts as mostly silent."""
PROBLEMS = {
    "unreadable": "can't be used",
    "skipped": "left out",
    "silent": "silent, or mostly so",
    "duplicates": "the same audio as another",
    "leaks": "held out, and learned from all the same",
    "without_caption": "nothing known but a name",
}
"""What a library should not have, and what to call it."""
NOTES = {
    "notes": "to be noted",
    "near_duplicates": "the same music in another encoding",
    "clipped": "clipped (over 0.1 % of the samples)",
    "without_licence": "no licence told",
}
"""What its owner may want to know."""


@dataclass(frozen=True, slots=True)
class DatasetAnalysis:
    """All pieces that were looked at, and what was left out from the start, a line each."""

    name: str
    pieces: Sequence[TrackStats]
    skipped_files: Sequence[str] = ()
    notes: Sequence[str] = ()
    """What is to be known of the others, a line each."""
    whole: bool = True
    """Whether the pieces are whole tracks; else they are clips."""
    decoded: bool = True
    """Whether they were measured, or their headers read alone."""


def summarize_analysis(library: DatasetAnalysis) -> Facts:
    """Return the facts of a library. Those of `PROBLEMS` and `NOTES` are lists of names."""
    pieces = library.pieces
    heard = [stats for _, stats in pieces_with_stats(pieces)]
    seconds = np.array([clip.seconds for clip in pieces])
    facts: Facts = {
        "name": library.name,
        "whole_tracks": library.whole,
        "pieces": len(pieces),
        "hours": float(seconds.sum()) / 3600,
        "splits": dict(Counter(clip.split for clip in pieces)),
        "seconds": _quantiles(seconds),
        "licences": _count(clip.licence or "none" for clip in pieces),
        **_wrong(library),
    }
    if library.decoded:
        silent, durations = [clip.silent for clip in heard], [clip.seconds for clip in heard]
        facts |= {
            "sample_rates": _count(clip.sample_rate for clip in heard),
            "channels": _count(clip.channels for clip in heard),
            "encodings": _count(clip.encoding for clip in heard if clip.encoding),
            "loudness": _quantiles([clip.loudness for clip in heard if clip.loudness is not None]),
            "peak": _quantiles([clip.peak for clip in heard]),
            "silence": float(np.average(silent, weights=durations)) if heard else 0.0,
        }
    return facts


def problems(facts: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return what is wrong with a library, and only that."""
    return {key: facts[key] for key in PROBLEMS if facts[key]}


def _wrong(library: DatasetAnalysis) -> Facts:
    """Return the names of pieces by what is to be said of them; of unreadable ones only that."""
    pieces = [clip for clip in library.pieces if not clip.fault]
    groups, alike = exact_duplicates(pieces), near_duplicates(pieces)
    heard = pieces_with_stats(pieces)
    return {
        "unreadable": [clip.fault for clip in library.pieces if clip.fault],
        "skipped": list(library.skipped_files),
        "notes": list(library.notes),
        "silent": _sources(clip for clip, m in heard if m.loudness is None or m.silent > SILENT),
        "duplicates": [_sources(group) for group in groups],
        "leaks": [_sources(pair) for pair in split_leaks([*groups, *alike])],
        "without_caption": _sources(clip for clip in pieces if not clip.captioned),
        "near_duplicates": [_sources(pair) for pair in alike],
        "clipped": _sources(clip for clip, m in heard if m.clipped > CLIPPED),
        "without_licence": _sources(clip for clip in pieces if not clip.licence),
    }


def _sources(pieces: Iterable[TrackStats]) -> list[str]:
    return list(dict.fromkeys(clip.source for clip in pieces))


def _count(values: Iterable[Any]) -> dict[str, int]:
    """Return how often each value comes, the most frequent first."""
    return {str(value): count for value, count in Counter(values).most_common()}


def _quantiles(values: Any) -> dict[str, float] | None:
    """Return where values lie; None where there are none."""
    if not len(values):
        return None
    marks = {"min": 0, "p10": 10, "median": 50, "p90": 90, "max": 100}
    return {name: float(np.percentile(values, mark)) for name, mark in marks.items()}


BINS = 40


def plot_histograms(path: Path, pieces: Sequence[TrackStats]) -> None:
    """Draw histograms of the pieces (PNG), those in `validation` over those in `train`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6.5), layout="constrained")
    heard = pieces_with_stats(pieces)
    panels: dict[str, list[tuple[TrackStats, float]]] = {
        "duration (s)": [(clip, clip.seconds) for clip in pieces],
        "loudness (LUFS)": [(clip, m.loudness) for clip, m in heard if m.loudness is not None],
        "peak (dB of full scale)": [(clip, _decibels(m.peak)) for clip, m in heard],
        "silence (% of a track)": [(clip, 100 * m.silent) for clip, m in heard],
    }
    for axes, (title, pairs) in zip(figure.subplots(2, 2).flat, panels.items(), strict=True):
        _histogram(axes, title, pairs)
    figure.savefig(path, dpi=110)


def _histogram(axes: Any, title: str, pairs: Sequence[tuple[TrackStats, float]]) -> None:
    """Draw one panel; values that spread over decades lie on a logarithmic axis."""
    axes.set_title(title, loc="left")
    axes.set_ylabel("tracks")
    if not pairs:
        return
    values = [value for _, value in pairs]
    low, high = min(values), max(values)
    wide = low > 0 and high > 20 * low
    middle, half = (low + high) / 2, max(high - low, 1.0) / 2
    edges = (
        np.geomspace(low, high, BINS) if wide else np.linspace(middle - half, middle + half, BINS)
    )
    splits = ["train", "validation"]
    parts = [[value for piece, value in pairs if piece.split == split] for split in splits]
    axes.hist(parts, bins=edges, stacked=True, label=splits)
    axes.set_xscale("log" if wide else "linear")
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.ticklabel_format(axis="y" if wide else "both", useOffset=False, style="plain")
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=2)


def _decibels(peak: float) -> float:
    return max(-100.0, 20 * float(np.log10(max(peak, 1e-9))))


PICTURE, REPORT = "data-check.png", "data-check.json"


def analyze(
    name: str,
    datasets: Mapping[Split, Dataset],
    *,
    sample_rate: int,
    quick: bool,
    screen: Screen,
) -> DatasetAnalysis:
    """Look at every piece of the splits of one data set.

    Ctrl-C ends it; what a dataset keeps of what was measured is not measured again.
    """
    found: list[TrackStats] = []
    total = sum(map(count, datasets.values()))
    with screen.bar("reading" if quick else "decoding", total) as bar:
        for split, dataset in datasets.items():
            for piece in pieces(dataset, split, sample_rate=sample_rate, quick=quick):
                found.append(piece)
                bar.advance()
    tracks = any(map(holds_tracks, datasets.values()))
    skipped = dict.fromkeys(line for item in datasets.values() for line in item.skipped_files())
    notes = dict.fromkeys(line for item in datasets.values() for line in item.remarks())
    decoded = not (quick and tracks)
    return DatasetAnalysis(name, found, list(skipped), list(notes), whole=tracks, decoded=decoded)


def write_data_report(folder: Path, library: DatasetAnalysis, facts: dict[str, Any]) -> list[Path]:
    """Write the figures and, of what was decoded, a picture into a folder; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    report, picture = folder / REPORT, folder / PICTURE
    report.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    plot_histograms(picture, library.pieces)
    return [report, picture]
