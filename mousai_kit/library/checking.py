"""Checking: all of a data set looked at, with a progress bar, and the report written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mousai_kit.console import Screen
from mousai_kit.interfaces import Dataset, Split
from mousai_kit.library.picture import draw
from mousai_kit.library.pieces import Piece, count, pieces
from mousai_kit.library.summary import Library
from mousai_kit.music.tracks import TrackDataset

PICTURE, REPORT = "data-check.png", "data-check.json"


def checked(
    name: str,
    datasets: Mapping[Split, Dataset],
    *,
    sample_rate: int,
    quick: bool,
    screen: Screen,
) -> Library:
    """Look at every piece of the splits of one data set.

    Ctrl-C ends it; what a dataset keeps of what was measured is not measured again.
    """
    found: list[Piece] = []
    total = sum(map(count, datasets.values()))
    with screen.bar("reading" if quick else "decoding", total) as bar:
        for split, dataset in datasets.items():
            for piece in pieces(dataset, split, sample_rate=sample_rate, quick=quick):
                found.append(piece)
                bar.advance()
    tracks = [it for it in datasets.values() if isinstance(it, TrackDataset)]
    skipped = dict.fromkeys(line for it in datasets.values() for line in it.skipped())
    decoded = not (quick and tracks)
    return Library(name, found, list(skipped), whole=bool(tracks), decoded=decoded)


def write_report(folder: Path, library: Library, facts: dict[str, Any]) -> list[Path]:
    """Write the figures and, of what was decoded, a picture into a folder; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    report, picture = folder / REPORT, folder / PICTURE
    report.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    draw(picture, library.pieces)
    return [report, picture]
