"""WebDataset: music in tar shards, read by seeking, so that the order does not rest on workers."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, cast

import mousai_kit.api as mk
from mousai_kit_shards.part import Part
from mousai_kit_shards.sample import Wanted, read_member_caption
from mousai_kit_shards.shard_index import Shard, ShardIndex, shard_index
from mousai_kit_shards.shard_paths import shard_paths
from mousai_kit_shards.shard_tracks import ShardTable, ShardTrack

THREADS = 8
"""Shards looked through at a time: the wait is for the disk."""
LISTED = 10
"""Reasons given where no sample can be used."""


class WebDataset(mk.TrackDataset):
    """Music in tar shards, as webdataset has them: of a sample `0001.flac` and `0001.txt`.

    Captions come from a sample's text (the whole caption) or JSON (fields by name, or a
    `caption`), else from the audio's tags, else from its name. Shards are looked through once, and
    an index is kept beside each; then a crop reads no more than its own part of a shard. Samples
    that are bad are left out and listed by `skipped_files`. AudioError where none is left.
    """

    name = "webdataset"

    class Options(mk.TrackDataset.Options):
        """Options of `dataset: webdataset`."""

        shards: mk.LocalPath = mk.Field(
            min_length=1,
            description="folder of shards, or a path with braces: `music/{000..099}.tar`",
        )
        audio: str | None = mk.Field(
            None, min_length=1, description="ending of the music: `mix.flac`; null finds it"
        )
        text: str | None = mk.Field(
            None, min_length=1, description="ending of the caption; null is `txt`, else `json`"
        )
        validation: float = mk.Field(
            0.1, ge=0, le=0.5, description="fraction of the samples that is held out"
        )

    options: Options

    def find_tracks(self) -> Sequence[mk.Track]:
        """Return the samples of this split, and remember what was left out."""
        self._skipped: list[mk.Problem] = []
        found = list(self._indexes(shard_paths(self.options.shards)))
        self._notes = [*_unkept(found)]
        unused = sum((Counter(index.unused) for index in found), Counter[str]())
        self._notes += mk.unused_keys_told(self.options.shards, unused)
        table = ShardTable(found)
        tracks = table.tracks()
        if not len(tracks):
            raise self._without_music()
        return tracks.part(self.split, table.keys(), self.options.validation)

    def skipped_files(self) -> list[str]:
        """Return one line for each sample that was left out, with the reason."""
        return list(map(str, self._skipped))

    def remarks(self) -> list[str]:
        """Return one line for each thing to be known of captions and indexes."""
        return list(map(str, self._notes))

    @contextmanager
    def open_track(self, track: mk.Track) -> Iterator[BinaryIO]:
        """Open a sample's audio; AudioError where its shard is not what it was."""
        track = cast("ShardTrack", track)
        with _open_shard(track.shard) as file:
            part = Part(file, track.audio.offset, track.audio.size)
            try:
                yield BufferedReader(part)
            except mk.AudioError:
                if part.error:
                    raise part.error from None
                raise

    def read_caption(self, track: mk.Track) -> mk.AnyCaption:
        """Return what a sample's text or JSON says; else what the audio's tags do."""
        track = cast("ShardTrack", track)
        if track.text is None:
            return super().read_caption(track)
        with _open_shard(track.shard) as file:
            return read_member_caption(file, track.text) or mk.CaptionFields()

    def _indexes(self, paths: Sequence[Path]) -> Iterator[ShardIndex]:
        """Yield the index of each shard that is one."""
        wanted = Wanted(self.options.audio, self.options.text)
        with ThreadPoolExecutor(THREADS) as pool:
            for found in pool.map(lambda path: _try_shard(path, wanted), paths):
                if isinstance(found, ShardIndex):
                    self._skipped += found.skipped_files
                    yield found
                else:
                    self._skipped.append(found)

    def _without_music(self) -> mk.AudioError:
        """Return the error for shards without one sample that can be used."""
        origin, more = self.options.shards, len(self._skipped) - LISTED
        return mk.AudioError(
            mk.Problem(origin, "", "holds no music that can be used:"),
            *self._skipped[:LISTED],
            *([mk.Problem(origin, "", f"{more} more samples can't be used")] if more > 0 else []),
        )


def _try_shard(path: Path, wanted: Wanted) -> ShardIndex | mk.Problem:
    """Return a shard's index, or what is wrong with it."""
    try:
        return shard_index(path, wanted)
    except mk.AudioError as error:
        return error.problems[0]


def _unkept(found: Sequence[ShardIndex]) -> Iterator[mk.Problem]:
    """Yield why indexes can't be kept, a line for a folder."""
    reasons = {dataset.shard.path.parent: dataset.unkept for dataset in found if dataset.unkept}
    for folder, reason in reasons.items():
        told = f"no index can be kept here ({reason}): every start looks through the shards anew"
        yield mk.Problem(mk.display_path(folder), "", told)


@contextmanager
def _open_shard(shard: Shard) -> Iterator[BinaryIO]:
    """Open a shard; AudioError where it can't be read, or is another one by now."""
    try:
        with shard.path.open("rb") as file:
            if Shard.of(shard.path, os.fstat(file.fileno())) != shard:
                raise mk.audio_error(
                    shard.path, "has changed since it was looked through; start again"
                )
            yield file
    except OSError as error:
        raise mk.audio_error(shard.path, f"can't be read ({error.strerror})") from None
