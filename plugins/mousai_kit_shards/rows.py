"""Rows: a column of audio in a data set of Hugging Face, of which no more is read than is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

import mousai_kit.api as mk
from mousai_kit_shards.hub_data import instead, lies_within
from mousai_kit_shards.index_file import load_index, save


class Rows:
    """The rows of a split: their audio, opened in the memory-mapped file, and their texts.

    `place` is what the data set is called in messages; audio that is no part of it may be read
    from files in the folder `root`.
    """

    def __init__(self, data: Any, *, audio: str, place: Path, root: Path) -> None:
        self.place, self.audio = place, audio
        self._root, self._features = root, data.features
        if audio not in data.features:
            raise mk.audio_error(place, f"has no column '{audio}'{instead(audio, data.features)}")
        self._rows = data.with_format("arrow")
        self._files = [Path(file["filename"]) for file in data.cache_files]

    @property
    def columns(self) -> list[str]:
        """Return the names of the columns other than the audio's."""
        return [name for name in self._features if name != self.audio]

    def open_row(self, row: int) -> BinaryIO:
        """Return a row's audio, open; AudioError where there is none."""
        import pyarrow

        value = self._rows[row].column(self.audio)[0]
        whole = isinstance(value, pyarrow.StructScalar) and value.is_valid
        data, path = (value["bytes"], value["path"]) if whole else (value, value)
        kind = pyarrow.types
        if data.is_valid and (kind.is_binary(data.type) or kind.is_large_binary(data.type)):
            return pyarrow.BufferReader(data.as_buffer())
        return self._file(row, path.as_py())

    def values(self, row: int, columns: Sequence[str]) -> Mapping[str, object]:
        """Return what stands in some columns, classes by their names."""
        table = self._rows[row]
        return {name: self._value(name, table.column(name)[0].as_py()) for name in columns}

    def name(self, row: int) -> Path:
        """Return what a row is called in messages."""
        return Path(f"{self.place}[{row}]")

    def tracks(self) -> tuple[mk.TrackList, list[mk.Problem]]:
        """Return the tracks of the rows that can be used, and what is wrong with the others.

        Their names are the rows' numbers.
        """
        seconds, notes = self._seconds()
        problems = [mk.Problem(mk.display_path(self.name(row)), "", why) for row, why in notes]
        numbers = np.flatnonzero(np.isfinite(seconds))
        return mk.TrackList(partial(self._track, seconds), numbers), problems

    def _track(self, seconds: npt.NDArray[np.float64], row: int) -> mk.Track:
        return mk.Track(self.name(row), str(row), float(seconds[row]))

    def _seconds(self) -> tuple[npt.NDArray[np.float64], list[tuple[int, str]]]:
        """Return each row's duration, NaN for one that can't be used, and what is wrong with it.

        It is kept in a file beside the data, and read from there where that has not changed.
        """
        status = [file.stat() for file in self._files]
        key = [self.audio, len(self._rows), *([item.st_size, item.st_mtime_ns] for item in status)]
        beside = self._files[0].with_name(f".{self._files[0].name}.index") if self._files else None
        if beside and (found := load_index(beside, key)):
            return found[0]["seconds"], found[1]
        seconds, notes = self._probe()
        if beside:
            save(beside, key, {"seconds": seconds}, notes)
        return seconds, notes

    def _probe(self) -> tuple[npt.NDArray[np.float64], list[tuple[int, str]]]:
        seconds, notes = np.full(len(self._rows), np.nan), list[tuple[int, str]]()
        for row in range(len(seconds)):
            try:
                with self.open_row(row) as file:
                    seconds[row] = mk.audio_info(self.name(row), file).seconds
            except mk.AudioError as error:
                notes.append((row, error.problems[0].message))
        return seconds, notes

    def _file(self, row: int, path: object) -> BinaryIO:
        """Open a file that a row only names, if it belongs to the data set."""
        if not isinstance(path, str):
            raise mk.audio_error(self.name(row), "holds no audio")
        file = self._root / path
        if not lies_within(file, self._root):
            raise mk.audio_error(
                self.name(row), f"only names a file outside of the data set ({path})"
            )
        try:
            return file.open("rb")
        except OSError as error:
            raise mk.audio_error(
                self.name(row), f"can't be read ({error.strerror}: {path})"
            ) from None

    def _value(self, column: str, value: object) -> object:
        names = getattr(self._features[column], "names", None)
        return names[value] if names and isinstance(value, int) else value
