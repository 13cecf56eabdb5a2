"""Clips: the real music in this package's `music` folder, described by its manifest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import mousai_kit.api as mk

MUSIC = Path(__file__).parent / "music"


class Clips(mk.TrackDataset):
    """Fourteen ten-second clips of real music, freely licensed, that come with mousai-kit."""

    name = "clips"

    class Options(mk.TrackDataset.Options):
        """Options of `dataset: clips`."""

    def find_tracks(self) -> Sequence[mk.Track]:
        """Return the clips that the manifest puts into this split."""
        entries = json.loads((MUSIC / "manifest.json").read_text(encoding="utf-8"))
        return [
            mk.Track(
                MUSIC / entry["file"], entry["file"], entry["seconds"], mk.CaptionFields.of(entry)
            )
            for entry in entries
            if entry["split"] == self.split
        ]
