"""Folder: a user's own music."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

import mousai_kit.api as mk
from mousai_kit_mousai.index_file import IndexFile
from mousai_kit_mousai.music_files import problem, stamp
from mousai_kit_mousai.music_index import check_music_folder, index

INDEX = ".mousai-kit-index.sqlite"
"""Name of the index within the folder."""


class Folder(mk.TrackDataset):
    """Your own music: all WAV, FLAC, Ogg Vorbis, Opus and MP3 files in a folder, at any depth.

    Captions come from a sidecar (`song.txt`: the whole caption; `song.json`: fields by name, or a
    `caption`), else from the folder's `metadata.csv` or `metadata.jsonl`, else from the file's
    tags, else from its name. Only headers are read to begin with,
    and kept in an index, so that later only what is new or has changed is read. Files whose header
    or sidecar is bad are left out and listed by `skipped_files`. AudioError where none is left.
    """

    name = "folder"
    cache_only_options = ("index",)

    class Options(mk.TrackDataset.Options):
        """Options of `dataset: folder`."""

        path: mk.LocalPath = mk.Field(
            min_length=1, description="folder of your music; ~ is your home"
        )
        validation: float = mk.Field(
            0.1, ge=0, le=0.5, description="fraction of the tracks that is held out"
        )
        index: mk.LocalPath | None = mk.Field(
            None,
            min_length=1,
            description=f"file that keeps what was read of the music; null: {INDEX} in the folder",
        )

    options: Options

    def find_tracks(self) -> Sequence[mk.Track]:
        """Return the tracks of this split, and remember what was left out."""
        folder = Path(self.options.path).expanduser()
        check_music_folder(folder)
        self._file = self._index_file(folder)
        table, skipped, notes = index(folder, self._file)
        self._skipped, self._notes = list(map(str, skipped)), list(map(str, notes))
        return table.tracks().part(self.split, table.names(), self.options.validation)

    def skipped_files(self) -> list[str]:
        """Return one line for each file that was left out, with the reason."""
        return self._skipped

    def remarks(self) -> list[str]:
        """Return one line for each thing to be known of captions and of the index."""
        if not self._file.fault:
            return self._notes
        told = (
            f"can't be used ({self._file.fault}), so that all headers are read at every start; "
            "name a file that can be written with `index`"
        )
        return [*self._notes, str(problem(self._file.path, told))]

    def cached_stats(self, tracks: Sequence[mk.Track]) -> list[mk.AudioStats | None]:
        """Return what the index knows of tracks that have not changed since."""
        paths = [self._within(track) for track in tracks]
        known = self._file.measures(paths)
        pairs = zip(tracks, (known.get(path, ("", "")) for path in paths), strict=True)
        return [
            measures_in(text) if kept and kept == stamp(track.path) else None
            for track, (kept, text) in pairs
        ]

    def cache_stats(self, measures: Sequence[tuple[mk.Track, mk.AudioStats]]) -> None:
        """Keep what was measured in the index."""
        self._file.cache_stats(
            [
                (self._within(track), stamp(track.path), json.dumps(astuple(stats)))
                for track, stats in measures
            ]
        )

    def _index_file(self, folder: Path) -> IndexFile:
        """Return the index; AudioError where the option names a file that can be none."""
        if self.options.index is None:
            return IndexFile(folder / INDEX, named=False)
        path = Path(self.options.index).expanduser()
        if not path.parent.is_dir():
            raise mk.AudioError(mk.Problem(mk.display_path(path), "index", "its folder is missing"))
        return IndexFile(path, named=True)

    def _within(self, track: mk.Track) -> bytes:
        """Return a track's path within the folder."""
        return os.fsencode(track.path.relative_to(Path(self.options.path).expanduser()))


def measures_in(text: str) -> mk.AudioStats | None:
    """Return measures that were kept as text; None where they are none."""
    try:
        return mk.AudioStats(*json.loads(text))
    except (TypeError, ValueError):
        return None
