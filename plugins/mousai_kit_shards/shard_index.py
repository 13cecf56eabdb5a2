"""Shard index: where in a tar shard each sample is, in arrays of a few dozen bytes a sample."""

from __future__ import annotations

import os
import tarfile
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import mousai_kit.api as mk
from mousai_kit_shards import index_file
from mousai_kit_shards.members import Members
from mousai_kit_shards.sample import Sample, Wanted, understood

NO_TEXT = (0, -1, 0)
"""In place of a caption's offset, size and kind, where there is none."""


@dataclass(frozen=True, slots=True)
class Shard:
    """A tar file as it was when it was looked through: samples are read from no other."""

    path: Path
    size: int
    changed: int
    """Nanoseconds since 1970."""

    @classmethod
    def at(cls, path: Path) -> Shard:
        """Return the shard at a path; OSError where there is none."""
        return cls.of(path, path.stat())

    @classmethod
    def of(cls, path: Path, status: os.stat_result) -> Shard:
        """Return the shard of which the system says this."""
        return cls(path, status.st_size, status.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class ShardIndex:
    """The samples of a shard, a row each, and what is wrong with those left out.

    Arrays: `numbers` [n, 5] offset and size of the audio, offset, size and kind of the caption (by
    its place in DESCRIPTIONS); `seconds` [n]; and the names of the audio's members, one after
    another in `names`, each up to its place in `ends` [n].
    """

    shard: Shard
    arrays: index_file.Arrays
    skipped: list[mk.Problem]
    unkept: str = ""
    """Why it can't be kept beside the shard."""


def shard_index(path: Path, wanted: Wanted) -> ShardIndex:
    """Return a shard's index, as kept beside it where the shard has not changed since.

    AudioError where it is no tar that can be read.
    """
    try:
        shard = Shard.at(path)
        key = [shard.size, shard.changed, wanted.audio, wanted.text]
        beside = path.with_name(f".{path.name}.index")
        if found := index_file.load(beside, key):
            arrays, notes = found
            return ShardIndex(shard, arrays, [_problem(path, *note) for note in notes])
        arrays, notes = _looked_through(path, wanted)
    except OSError as error:
        raise mk.AudioError(_problem(path, "", f"can't be read ({error.strerror})")) from None
    except tarfile.TarError as error:
        told = f"is no tar that can be read ({error}); a compressed one must be unpacked"
        raise mk.AudioError(_problem(path, "", told)) from None
    unkept = index_file.save(beside, key, arrays, notes)
    return ShardIndex(shard, arrays, [_problem(path, *note) for note in notes], unkept)


def _looked_through(path: Path, wanted: Wanted) -> tuple[index_file.Arrays, list[tuple[str, str]]]:
    """Return the arrays of an index, and (name, what is wrong) of what is left out."""
    numbers, seconds, names, ends = array("q"), array("d"), bytearray(), array("q")
    notes: list[tuple[str, str]] = []
    for sample in _samples(path, wanted, notes):
        text = sample.text
        place = (text.offset, text.size, text.ending.endswith("json")) if text else NO_TEXT
        numbers.extend((sample.audio.offset, sample.audio.size, *place))
        seconds.append(sample.seconds)
        names += os.fsencode(sample.audio.name)
        ends.append(len(names))
    arrays: index_file.Arrays = {
        "numbers": np.array(numbers, np.int64).reshape(-1, 5),
        "seconds": np.array(seconds, np.float64),
        "names": np.frombuffer(bytes(names), np.uint8),
        "ends": np.array(ends, np.int64),
    }
    return arrays, notes


def _samples(path: Path, wanted: Wanted, notes: list[tuple[str, str]]) -> Iterator[Sample]:
    """Yield the samples that can be used, and note what is wrong with others."""
    members, seen = Members(path), set[int]()
    with path.open("rb") as file:
        for sample in members.samples():
            key = sample[0].key
            try:
                if hash(key) in seen:
                    raise ValueError("stands twice in this shard; the first one counts")
                seen.add(hash(key))
                yield understood(path, file, sample, wanted)
            except ValueError as error:
                notes.append((key, str(error)))
    if members.fault:
        notes.append(("", f"is cut short or damaged ({members.fault}); what follows is left out"))


def _problem(path: Path, name: str, message: str) -> mk.Problem:
    return mk.Problem(mk.shown(path / name), "", message)
