"""Mix: several data sets in one, each with its share of the clips."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import replace
from itertools import accumulate
from math import gcd
from typing import Annotated

from pydantic import AfterValidator, field_validator

import mousai_kit.api as mk

OWN = "{caption}"
"""What stands for a clip's own caption in a set's."""
GOLDEN = 0.618034
"""Steps of this share of a circle go round it evenly, however many they are."""
LONGEST = 10_000_000
"""Clips of an epoch, at most: their order is drawn at once."""


def _check_name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9]+([-_][a-z0-9]+)*", name):
        raise ValueError("a set's name must be lower-case words, as in 'my-set'")
    return name


SetName = Annotated[str, AfterValidator(_check_name)]


class MixedSet(mk.Options):
    """One set of a mix: its music, and how much of it is heard."""

    data: mk.Use[mk.Dataset] = mk.Field(description="music of the set: any dataset but a mix")
    weight: float = mk.Field(
        1.0,
        gt=0,
        description="share of the clips, beside the weights of the others: with 3 and 1, three "
        "clips of four are of the first set",
    )
    caption: str = mk.Field(
        OWN,
        min_length=1,
        description=f"what its captions are: `{OWN}, organ` adds a word to each clip's own",
    )

    @field_validator("data")
    @classmethod
    def _check_data(cls, value: mk.Use[mk.Dataset]) -> mk.Use[mk.Dataset]:
        if issubclass(value.component, mk.CombinedDataset):
            raise ValueError("can't be a mix itself; name its sets beside this one")
        return value

    @field_validator("caption")
    @classmethod
    def _check_caption(cls, value: str) -> str:
        if len(value.splitlines()) > 1:
            raise ValueError("must be one line")
        return value


class Mix(mk.CombinedDataset):
    """Several data sets in one, each with a weight: the share of the clips that are its own.

    An epoch is as short as lets every clip of every set come once at least: a set that has fewer
    than its share comes several times, with other crops each time. Within a set all clips come
    equally often. Held out are the tracks that each set holds out, all of them, whatever its
    weight.
    """

    name = "mix"

    class Options(mk.Options):
        """Options of `dataset: mix`."""

        sets: dict[SetName, MixedSet] = mk.Field(
            min_length=1,
            description="sets by name: `organ: {data: {use: folder, path: organ}, weight: 3}`",
        )
        clips: int | None = mk.Field(
            None,
            ge=1,
            le=LONGEST,
            description="clips in an epoch of training, or about so many; a set with more than its "
            "share goes on in the next epoch; null: each clip of each set comes once or more",
        )

    def __init__(
        self, options: Options, *, sample_rate: int, channels: int, length: int, split: mk.Split
    ) -> None:
        self.options, self.split = options, split
        build_kwargs = {"sample_rate": sample_rate, "channels": channels, "length": length}
        self.parts = self._build_parts(build_kwargs)
        lengths = {name: len(part) for name, part in self.parts.items()}
        counts = lengths if split == "validation" else self._counts(lengths)
        self._names, self._ends = [*counts], [*accumulate(counts.values())]
        self._step = _step(len(self))
        self._orders = {name: _Order(counts[name], lengths[name]) for name in counts}

    def __len__(self) -> int:
        """Return the number of clips in an epoch."""
        return self._ends[-1]

    def locate(self, index: int, epoch: int = 0) -> tuple[str, int, int]:
        """Return the set that a clip is of, and its index and epoch there.

        Any stretch of indices has about its share of every set.
        """
        place = index * self._step % len(self)
        number = bisect_right(self._ends, place)
        name, start = self._names[number], self._ends[number - 1] if number else 0
        return name, *self._orders[name].find(place - start, epoch)

    def caption(self, name: str, text: str) -> str:
        """Return the set's caption, with the clip's own in it."""
        form = self.options.sets[name].caption
        return text if form == OWN else " ".join(form.replace(OWN, text).split()).strip(" ,")

    def _build_parts(self, build_kwargs: Mapping[str, int]) -> dict[str, mk.Dataset]:
        """Return the sets, in the order of their names; AudioError tells of all that can't be."""
        parts, faults = {}, list[mk.Problem]()
        for name, part in sorted(self.options.sets.items()):
            place = f"sets.{name}.data"
            try:
                parts[name] = part.data.build(**build_kwargs, split=self.split)
            except mk.AudioError as error:
                paths = (".".join(filter(None, [place, at.path])) for at in error.problems)
                faults += map(_at, error.problems, paths)
                continue
            if self.split == "train" and not len(parts[name]):
                told = f"'{part.data.component.name}' holds no clips to train on"
                faults.append(mk.Problem("", place, told))
        if faults:
            raise mk.AudioError(*faults)
        return parts

    def _counts(self, lengths: Mapping[str, int]) -> dict[str, int]:
        """Return how many clips of an epoch of training are of each set."""
        weights = {name: self.options.sets[name].weight for name in lengths}
        largest = max(lengths, key=lambda name: lengths[name] / weights[name])
        per_weight = lengths[largest] / weights[largest]
        least = lengths
        if self.options.clips is not None:
            per_weight, least = (
                self.options.clips / sum(weights.values()),
                dict.fromkeys(lengths, 1),
            )
        if per_weight * sum(weights.values()) > LONGEST:
            told = f"an epoch in which all its clips come once has more than {LONGEST:,} clips"
            advice = f"raise its weight (now {weights[largest]:g}), or say `clips`"
            raise mk.AudioError(mk.Problem("", f"sets.{largest}", f"{told}; {advice}"))
        return {name: max(least[name], round(per_weight * weights[name])) for name in lengths}


class _Order:
    """The order in which a set's clips come: all once, spread over the set, then all once more."""

    def __init__(self, count: int, length: int) -> None:
        """`count` clips of an epoch of the mix are of the set, which has `length`."""
        self.count, self.length, self.step = count, length, _step(length)

    def find(self, number: int, epoch: int) -> tuple[int, int]:
        """Return the index and the epoch in the set of the clip that is its so-manieth."""
        its_epoch, place = divmod(epoch * self.count + number, self.length)
        return place * self.step % self.length, its_epoch


def _step(count: int) -> int:
    """Return a step that leads to each of so many places once, and round them evenly."""
    step = max(1, round(GOLDEN * count))
    while gcd(step, count) > 1:
        step += 1
    return step


def _at(problem: mk.Problem, path: str) -> mk.Problem:
    return replace(problem, path=path)
