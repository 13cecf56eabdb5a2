"""Rows: a column of audio in a data set of Hugging Face, of which no more is read than is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, overload

import numpy as np
import numpy.typing as npt

import mousai_kit.api as mk
from mousai_kit_shards.hub_data import fault, instead, within
from mousai_kit_shards.index_file import load, save


class Rows:
    """The rows of a split: their audio, opened in the memory-mapped file, and their texts.

    `place` is what the data set is called in messages; audio that is no part of it may be read
    from files in the folder `root`.
    """

    def __init__(self, data: Any, *, audio: str, place: Path, root: Path) -> None:
        self.place, self.audio = place, audio
        self._root, self._features = root, data.features
        if audio not in data.features:
            raise fault(place, f"has no column '{audio}'{instead(audio, data.features)}")
        self._rows = data.with_format("arrow")
        self._files = [Path(it["filename"]) for it in data.cache_files]

    @property
    def columns(self) -> list[str]:
        """Return the names of the columns other than the audio's."""
        return [name for name in self._features if name != self.audio]

    def opened(self, row: int) -> BinaryIO:
        """Return a row's audio, open; AudioError where there is none."""
        import pyarrow

        value = self._rows[row].column(self.audio)[0]
        whole = isinstance(value, pyarrow.StructScalar) and value.is_valid
        data, path = (value["bytes"], value["path"]) if whole else (value, value)
        kind = pyarrow.types
        if data.is_valid and (kind.is_binary(data.type) or kind.is_large_binary(data.type)):
            reader: BinaryIO = pyarrow.BufferReader(data.as_buffer())
            return reader
        return self._file(row, path.as_py())

    def values(self, row: int, columns: Sequence[str]) -> Mapping[str, object]:
        """Return what stands in some columns, classes by their names."""
        table = self._rows[row]
        return {name: self._value(name, table.column(name)[0].as_py()) for name in columns}

    def name(self, row: int) -> Path:
        """Return what a row is called in messages."""
        return Path(f"{self.place}[{row}]")

    def seconds(self) -> tuple[npt.NDArray[np.float64], list[mk.Problem]]:
        """Return each row's duration, NaN for one that can't be used, and what is wrong with it.

        It is kept in a file beside the data, and read from there where that has not changed.
        """
        status = [file.stat() for file in self._files]
        key = [self.audio, len(self._rows), *([it.st_size, it.st_mtime_ns] for it in status)]
        beside = self._files[0].with_name(f".{self._files[0].name}.index") if self._files else None
        if beside and (found := load(beside, key)):
            return found[0]["seconds"], [_problem(self.name(row), why) for row, why in found[1]]
        seconds, notes = self._probed()
        if beside:
            save(beside, key, {"seconds": seconds}, notes)
        return seconds, [_problem(self.name(row), why) for row, why in notes]

    def _probed(self) -> tuple[npt.NDArray[np.float64], list[tuple[int, str]]]:
        seconds, notes = np.full(len(self._rows), np.nan), list[tuple[int, str]]()
        for row in range(len(seconds)):
            try:
                with self.opened(row) as file:
                    seconds[row] = mk.probe(self.name(row), file).seconds
            except mk.AudioError as error:
                notes.append((row, error.problems[0].message))
        return seconds, notes

    def _file(self, row: int, path: object) -> BinaryIO:
        """Open a file that a row only names, if it belongs to the data set."""
        if not isinstance(path, str):
            raise fault(self.name(row), "holds no audio")
        file = self._root / path
        if not within(file, self._root):
            raise fault(self.name(row), f"only names a file outside of the data set ({path})")
        try:
            return file.open("rb")
        except OSError as error:
            raise fault(self.name(row), f"can't be read ({error.strerror}: {path})") from None

    def _value(self, column: str, value: object) -> object:
        names = getattr(self._features[column], "names", None)
        return names[value] if names and isinstance(value, int) else value


def _problem(name: Path, message: str) -> mk.Problem:
    return mk.Problem(mk.shown(name), "", message)


class RowTracks(Sequence[mk.Track]):
    """The tracks of some rows, made as they are asked for. Their names are the rows' numbers."""

    def __init__(
        self, rows: Rows, numbers: npt.NDArray[np.int64], seconds: npt.NDArray[np.float64]
    ) -> None:
        self.rows, self.numbers, self.seconds = rows, numbers, seconds

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> mk.Track: ...

    @overload
    def __getitem__(self, index: slice) -> RowTracks: ...

    def __getitem__(self, index: int | slice) -> mk.Track | RowTracks:
        """Return a track, or some of them."""
        if isinstance(index, slice):
            return RowTracks(self.rows, self.numbers[index], self.seconds[index])
        row = int(self.numbers[index])
        return mk.Track(self.rows.name(row), str(row), float(self.seconds[index]))
