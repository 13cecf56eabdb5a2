"""Sets of clips: those that a system makes of the prompts of its evaluation, and real ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import overload

from torch import Tensor

from mousai_kit import audio
from mousai_kit.core.interfaces import Clip, ClipSet, Embedding
from mousai_kit.core.interfaces.metric import GENRE
from mousai_kit.data.datasets import ClipSource, evenly_spread, iter_decodable

SEARCHED = 8
"""How many times as many clips are looked at as are wanted, where they must be of a genre."""
Embed = Callable[[Embedding, Clip], Tensor]


@dataclass(frozen=True, slots=True)
class AskedClip:
    """A clip that a system is asked for."""

    prompt: str
    seed: int
    genre: str = ""


def asked_clips(
    prompts: Sequence[str] | Mapping[str, Sequence[str]], count: int
) -> list[AskedClip]:
    """Return `count` clips to ask for: each prompt once with seed 0, then each with seed 1...

    Prompts by genre are gone through genre by genre, so that each has as many, or one less.
    """
    if isinstance(prompts, Mapping):
        turns = max(map(len, prompts.values()), default=0)
        pairs = [
            (texts[turn % len(texts)], genre)
            for turn in range(turns)
            for genre, texts in prompts.items()
        ]
    else:
        pairs = [(text, "") for text in prompts]
    if not pairs:
        return []
    seen: dict[tuple[str, str], int] = {}
    asked = []
    for number in range(count):
        text, genre = pair = pairs[number % len(pairs)]
        seen[pair] = seen.get(pair, -1) + 1
        asked.append(AskedClip(text, seen[pair], genre))
    return asked


class ReadClipSet(ClipSet):
    """Clips that are read each time: what is told of them is known beforehand."""

    def __init__(self, clips: Sequence[Clip], told: Sequence[tuple[str, str]], embed: Embed):
        """Make a set of clips with the prompt and the genre of each."""
        super().__init__(clips, embed)
        self._told = told

    @property
    def prompts(self) -> list[str]:
        """Return each clip's prompt, or caption."""
        return [text for text, _ in self._told]

    @property
    def genres(self) -> list[str]:
        """Return each clip's genre; empty where it has none."""
        return [genre for _, genre in self._told]


class _ReadClips(Sequence[Clip]):
    """Clips that are read each time that one is asked for."""

    def __init__(self, count: int, read: Callable[[int], Clip]) -> None:
        self._numbers, self._read = range(count), read

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> Clip: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Clip]: ...
    def __getitem__(self, index: int | slice) -> Clip | Sequence[Clip]:
        """Return a clip, or several."""
        if isinstance(index, slice):
            return [self._read(number) for number in self._numbers[index]]
        return self._read(self._numbers[index])


def real_set(
    clips: ClipSource,
    embed: Embed,
    *,
    at_most: int,
    genres: Mapping[str, Sequence[str]],
    report: Callable[[str], None],
) -> ClipSet:
    """Return real clips, at most so many, spread evenly over all; report what can't be decoded.

    Where clips are asked for by genre, they are of those genres, about as many of each: looking
    for them ends after `SEARCHED` times as many clips. Where none is, they are any.
    """
    order = evenly_spread(len(clips), at_most * (SEARCHED if genres else 1))
    found = [
        (index, clip.text, genre_of(clip, genres))
        for index, clip in iter_decodable(clips, order, report)
    ]
    found = _balance(found, at_most) if any(genre for *_, genre in found) else found
    found = [found[number] for number in evenly_spread(len(found), at_most)]

    def read(number: int) -> Clip:
        index, _, genre = found[number]
        return _of_genre(clips.clip(index), genre)

    told = [(text, genre) for _, text, genre in found]
    return ReadClipSet(_ReadClips(len(found), read), told, embed)


_Found = tuple[int, str, str]
"""A clip's index, caption and genre."""


def _balance(found: Sequence[_Found], at_most: int) -> list[_Found]:
    """Return those that have a genre, as even a number of each as there are, in their order."""
    by_genre: dict[str, list[_Found]] = {}
    for item in found:
        if item[-1]:
            by_genre.setdefault(item[-1], []).append(item)
    each = max(1, at_most // len(by_genre))
    chosen = [
        items[number] for items in by_genre.values() for number in evenly_spread(len(items), each)
    ]
    return sorted(chosen)


def file_set(
    files: Sequence[Path | None],
    asked: Sequence[AskedClip],
    embed: Embed,
    *,
    sample_rate: int,
    channels: int,
) -> ClipSet:
    """Return clips as their files have them, without those that have none; resampled if need be."""
    there = [(path, clip) for path, clip in zip(files, asked, strict=True) if path is not None]

    def read(number: int) -> Clip:
        path, clip = there[number]
        wave = audio.read(path, sample_rate=sample_rate, channels=channels)
        return _of_genre(Clip(wave, clip.prompt, path.name), clip.genre)

    told = [(clip.prompt, clip.genre) for _, clip in there]
    return ReadClipSet(_ReadClips(len(there), read), told, embed)


def genre_of(clip: Clip, genres: Mapping[str, Sequence[str]]) -> str:
    """Return the genre of a real clip: the one that its tags or its caption name; else empty.

    A part of the caption between commas, or the fact `genre`, names a genre where it says the
    genre's name or one of its prompts, in whatever case.
    """
    told = [clip.facts.get(GENRE, ""), *clip.text.split(",")]
    words = [text.strip().casefold() for part in told for text in (part, *part.split(";"))]
    for genre, prompts in genres.items():
        if {name.strip().casefold() for name in (genre, *prompts)} & {*words} - {""}:
            return genre
    return ""


def _of_genre(clip: Clip, genre: str) -> Clip:
    others = {name: text for name, text in clip.facts.items() if name != GENRE}
    return replace(clip, facts=others | ({GENRE: genre} if genre else {}))


def distinct_captions(clips: Iterator[Clip], at_most: int) -> list[str]:
    """Return the captions of the first tracks, each once; those that say nothing are left out."""
    found: dict[str, str] = {}
    for clip in clips:
        if clip.text.strip():
            found.setdefault(clip.source, clip.text)
        if len(found) == at_most:
            break
    return list(dict.fromkeys(found.values()))
