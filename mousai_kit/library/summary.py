"""Summary: what a library holds and what is wrong with it, as plain values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mousai_kit.library.alike import leaks, near, same
from mousai_kit.library.pieces import Piece

Facts = dict[str, Any]
CLIPPED = 0.001
"""Share of clipped samples from which on a track counts as clipped."""
SILENT = 0.5
"""Share of silence from which on a track counts as mostly silent."""
PROBLEMS = {
    "unreadable": "can't be decoded",
    "skipped": "left out",
    "silent": "silent, or mostly so",
    "duplicates": "the same audio as another",
    "leaks": "held out, and learned from all the same",
    "without_caption": "nothing known but a name",
}
"""What a library should not have, and what to call it."""
NOTES = {
    "near_duplicates": "the same music in another encoding",
    "clipped": "clipped (over 0.1 % of the samples)",
    "without_licence": "no licence told",
}
"""What its owner may want to know."""


@dataclass(frozen=True, slots=True)
class Library:
    """All pieces that were looked at, and what was left out from the start, a line each."""

    name: str
    pieces: Sequence[Piece]
    skipped: Sequence[str] = ()
    whole: bool = True
    """Whether the pieces are whole tracks; else they are clips."""
    decoded: bool = field(default=True)
    """Whether they were measured, or their headers read alone."""


def summary(library: Library) -> Facts:
    """Return the facts of a library. Those of `PROBLEMS` and `NOTES` are lists of names."""
    pieces = library.pieces
    heard = [it.measures for it in pieces if it.measures is not None]
    seconds = np.array([it.seconds for it in pieces])
    facts: Facts = {
        "name": library.name,
        "whole_tracks": library.whole,
        "pieces": len(pieces),
        "hours": float(seconds.sum()) / 3600,
        "splits": dict(Counter(it.split for it in pieces)),
        "seconds": _spread(seconds),
        "licences": _counted(it.licence or "none" for it in pieces),
        **_wrong(library),
    }
    if library.decoded:
        loudness = np.array([it.loudness for it in heard if it.loudness is not None])
        frames = np.array([it.seconds for it in heard])
        quiet = float((frames * [it.silent for it in heard]).sum()) if heard else 0.0
        facts |= {
            "sample_rates": _counted(it.sample_rate for it in heard),
            "channels": _counted(it.channels for it in heard),
            "encodings": _counted(it.encoding for it in heard if it.encoding),
            "loudness": _spread(loudness),
            "peak": _spread(np.array([it.peak for it in heard])),
            "silence": quiet / float(frames.sum()) if heard else 0.0,
        }
    return facts


def problems(facts: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return what is wrong with a library, and only that."""
    return {key: facts[key] for key in PROBLEMS if facts[key]}


def _wrong(library: Library) -> Facts:
    """Return the names of the pieces that something is to be said of."""
    pieces = [it for it in library.pieces if not it.fault]  # of others, that is all there is to say
    groups = same(pieces)
    alike = near(pieces)
    heard = [it for it in pieces if it.measures is not None]
    return {
        "unreadable": [it.fault for it in library.pieces if it.fault],
        "skipped": list(library.skipped),
        "silent": _sources(it for it in heard if _is_silent(it)),
        "duplicates": [_sources(group) for group in groups],
        "leaks": [_sources(pair) for pair in leaks([*groups, *alike])],
        "without_caption": _sources(it for it in pieces if not it.captioned),
        "near_duplicates": [_sources(pair) for pair in alike],
        "clipped": _sources(it for it in heard if it.measures and it.measures.clipped > CLIPPED),
        "without_licence": _sources(it for it in pieces if not it.licence),
    }


def _is_silent(piece: Piece) -> bool:
    measures = piece.measures
    return measures is not None and (measures.loudness is None or measures.silent > SILENT)


def _sources(pieces: Iterable[Piece]) -> list[str]:
    return list(dict.fromkeys(it.source for it in pieces))


def _counted(values: Iterable[Any]) -> dict[str, int]:
    """Return how often each value comes, the most frequent first."""
    return {str(value): count for value, count in Counter(values).most_common()}


def _spread(values: Any) -> dict[str, float] | None:
    """Return where values lie; None where there are none."""
    if not len(values):
        return None
    marks = {"min": 0, "p10": 10, "median": 50, "p90": 90, "max": 100}
    return {name: float(np.percentile(values, mark)) for name, mark in marks.items()}
