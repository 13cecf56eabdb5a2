"""Folder: a user's own music."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from pathlib import Path

import mousai_kit.api as mk
from mousai_kit_mousai.music_index import index


class Folder(mk.TrackDataset):
    """Your own music: all WAV, FLAC, Ogg Vorbis, Opus and MP3 files in a folder, at any depth.

    Captions come from a sidecar (`song.txt`: the whole caption; `song.json`: fields by name, or a
    `caption`), else from the file's tags, else from its name. Only headers are read to begin with;
    files whose header or sidecar is bad are left out and listed by `skipped`. AudioError where
    none is left.
    """

    name = "folder"

    class Options(mk.TrackDataset.Options):
        """Options of `dataset: folder`."""

        path: str = mk.Field(min_length=1, description="folder of your music; ~ is your home")
        validation: float = mk.Field(
            0.1, ge=0, le=0.5, description="fraction of the tracks that is held out"
        )

    options: Options

    def find_tracks(self) -> Sequence[mk.Track]:
        """Return the tracks of this split, and remember what was left out."""
        found = index(Path(self.options.path).expanduser())
        self._skipped = [str(problem) for problem in found.skipped]
        held = mk.held_out((track.name for track in found.tracks), self.options.validation)
        wanted = held if self.split == "validation" else ~held
        return list(compress(found.tracks, wanted))

    def skipped(self) -> list[str]:
        """Return one line for each file that was left out, with the reason."""
        return self._skipped
