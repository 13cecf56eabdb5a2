"""Shard index: where in a tar shard each sample is, in arrays of a few dozen bytes a sample."""

from __future__ import annotations

import os
import tarfile
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import mousai_kit.api as mk
from mousai_kit_shards import index_file
from mousai_kit_shards.members import Members
from mousai_kit_shards.sample import Sample, Wanted, parse_sample

RULES = 2
"""Version of what makes a sample: what was found by other rules is looked for anew."""
NO_TEXT = (0, -1, 0)
"""In place of a caption's offset, size and kind, where there is none."""


Notes = tuple[list[tuple[str, str]], dict[str, int]]
"""(name, what is wrong) of what is left out, and how many samples have a key that is not used."""


@dataclass(frozen=True, slots=True)
class Shard:
    """A tar file as it was when it was looked through: samples are read from no other."""

    path: Path
    size: int
    changed: int
    """Nanoseconds since 1970."""

    @classmethod
    def of(cls, path: Path, status: os.stat_result) -> Shard:
        """Return the shard of which the system says this."""
        return cls(path, status.st_size, status.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class ShardIndex:
    """The samples of a shard, a row each, and what is wrong with those left out.

    Arrays: `numbers` [n, 5] offset and size of the audio, offset, size and kind of the caption (by
    its place in SIDECAR_SUFFIXES); `seconds` [n]; and the names of the audio's members, one after
    another in `names`, each up to its place in `ends` [n].
    """

    shard: Shard
    arrays: index_file.Arrays
    skipped_files: list[mk.Problem]
    unkept: str = ""
    """Why it can't be kept beside the shard."""
    unused: Mapping[str, int] = field(default_factory=dict)
    """How many samples have a key that no caption takes."""


def shard_index(path: Path, wanted: Wanted) -> ShardIndex:
    """Return a shard's index, as kept beside it where the shard has not changed since.

    AudioError where it is no tar that can be read.
    """
    try:
        shard, unkept = Shard.of(path, path.stat()), ""
        key = [RULES, shard.size, shard.changed, wanted.audio, wanted.text]
        beside = path.with_name(f".{path.name}.index")
        if found := index_file.load_index(beside, key):
            arrays, notes = found
        else:
            arrays, notes = _looked_through(path, wanted)
            unkept = index_file.save(beside, key, arrays, notes)
        skipped, unused = notes
    except OSError as error:
        raise mk.audio_error(path, f"can't be read ({error.strerror})") from None
    except tarfile.TarError as error:
        told = f"is no tar that can be read ({error}); a compressed one must be unpacked"
        raise mk.audio_error(path, told) from None
    problems = [mk.Problem(mk.display_path(path / name), "", told) for name, told in skipped]
    return ShardIndex(shard, arrays, problems, unkept, unused)


def _looked_through(path: Path, wanted: Wanted) -> tuple[index_file.Arrays, Notes]:
    """Return the arrays of an index, and its notes."""
    numbers, seconds, names, ends = array("q"), array("d"), bytearray(), array("q")
    notes, unused = list[tuple[str, str]](), Counter[str]()
    for sample in _samples(path, wanted, notes):
        text = sample.text
        place = (text.offset, text.size, text.ending.endswith("json")) if text else NO_TEXT
        numbers.extend((sample.audio.offset, sample.audio.size, *place))
        seconds.append(sample.seconds)
        unused.update(sample.unused)
        names += os.fsencode(sample.audio.name)
        ends.append(len(names))
    arrays: index_file.Arrays = {
        "numbers": np.array(numbers, np.int64).reshape(-1, 5),
        "seconds": np.array(seconds, np.float64),
        "names": np.frombuffer(bytes(names), np.uint8),
        "ends": np.array(ends, np.int64),
    }
    return arrays, (notes, unused)


def _samples(path: Path, wanted: Wanted, notes: list[tuple[str, str]]) -> Iterator[Sample]:
    """Yield the samples that can be used, and note what is wrong with others."""
    members, seen, unpaired = Members(path), set[int](), list[str]()
    with path.open("rb") as file:
        for sample in members.samples():
            key = sample[0].key
            try:
                if hash(key) in seen:
                    raise ValueError("stands twice in this shard; the first one counts")
                seen.add(hash(key))
                found = parse_sample(path, file, sample, wanted)
                unpaired += [mk.display_path(Path(member.name)) for member in found.unpaired]
                yield found
            except ValueError as error:
                notes.append((key, str(error)))
    if unpaired:
        told = f"captions share no name with music ({len(unpaired)}, the first is '{unpaired[0]}')"
        notes.append(("", f"{told}; call them as the music is, or say which with `text`"))
    if members.fault:
        notes.append(("", f"is cut short or damaged ({members.fault}); what follows is left out"))
