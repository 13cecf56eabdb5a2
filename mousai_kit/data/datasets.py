"""Data of a recipe: its dataset at the length that a stage learns from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Protocol

from mousai_kit.audio.io import display_path
from mousai_kit.core.errors import AudioError, Problem, RecipeError, TrainingError, format_path
from mousai_kit.core.interfaces import Clip, Dataset, ExtrasExtractor, Split, Stage
from mousai_kit.recipe import Recipe
from mousai_kit.recipe.nodes import KeyPath


class ClipSource(Protocol):
    """Whatever has clips by index and epoch: a dataset, or latents encoded from one."""

    def __len__(self) -> int:
        """Return the clips in an epoch."""

    def clip(self, index: int, epoch: int = 0) -> Clip:
        """Return a clip."""


def dataset(recipe: Recipe, *, length: int, split: Split) -> Dataset:
    """Return the recipe's clips of `length` samples; RecipeError where there is no such data."""
    try:
        return recipe.data.build(
            sample_rate=recipe.audio.sample_rate,
            channels=recipe.audio.channels,
            length=length,
            split=split,
        )
    except AudioError as error:
        raise RecipeError(*_at_their_options(recipe, error.problems)) from None


def _at_their_options(recipe: Recipe, problems: Sequence[Problem]) -> Iterator[Problem]:
    """Yield what is wrong with data at the option that names it; else where its path leads to."""
    for problem in problems:
        values, keys = recipe.data.values(), [*filter(None, problem.path.split("."))]
        place: KeyPath = ("data",)
        while keys and isinstance(values.get(keys[0]), dict):
            values, place = values[keys[0]], (*place, keys.pop(0))
        options = {
            name: key
            for key, value in values.items()
            if isinstance(value, str)
            for name in (value, display_path(Path(value).expanduser()))
        }
        if problem.origin in options:
            place = (*place, options[problem.origin])
        told = str(replace(problem, path=format_path(keys)))
        yield from recipe.error_at(place, told).problems


def training_clips(recipe: Recipe, *, length: int) -> Dataset:
    """Return the clips to learn from; TrainingError where there are none."""
    clips = dataset(recipe, length=length, split="train")
    if not len(clips):
        raise TrainingError(f"data: '{recipe.data.component.name}' holds no clips to train on")
    return clips


class Counted:
    """Clips that tell of each one that is read."""

    def __init__(self, clips: ClipSource, tick: Callable[[], None]) -> None:
        self.clips, self.tick = clips, tick

    def __len__(self) -> int:
        return len(self.clips)

    def clip(self, index: int, epoch: int = 0) -> Clip:
        """Return a clip."""
        self.tick()
        return self.clips.clip(index, epoch)


def audio_extractor(stage: Stage) -> ExtrasExtractor | None:
    """Return what tells a stage's extras of the clips that it learns from, where those are audio.

    Latents of clips come with theirs.
    """
    return stage.extras_extractor if stage.input_space.stride == 1 else None


def with_extras(clip: Clip, extract: ExtrasExtractor | None) -> Clip:
    """Return a clip with what it tells besides text, those that are NaN left out."""
    if extract is None:
        return clip
    told = {name: data for name, data in extract(clip).items() if not data.isnan().any()}
    return replace(clip, extras=told)


class ReadableClips:
    """Those of a dataset's clips that could be decoded, by their indices.

    What can't be any more, as files vanish and turn bad, is reported, and another takes its place.
    """

    def __init__(
        self, clips: ClipSource, indices: list[int], report: Callable[[str], None]
    ) -> None:
        self.clips, self.indices, self.report = clips, indices, report

    def __len__(self) -> int:
        return len(self.indices)

    def clip(self, index: int, epoch: int = 0) -> Clip:
        """Return a clip; the first epoch's where this one's can't be decoded, or another clip.

        AudioError where none can be.
        """
        places = [*self.indices[index:], *self.indices[:index]]
        for place, number in [(places[0], epoch), *((place, 0) for place in places)]:
            try:
                return self.clips.clip(place, number)
            except AudioError as error:
                failure = error
                self.report(str(error))
        raise failure


def readable(
    clips: ClipSource,
    report: Callable[[str], None],
    *,
    at_most: int | None = None,
    tick: Callable[[], None] = lambda: None,
) -> ReadableClips | None:
    """Return the first clips that can be decoded, None where there are none; report the others.

    `tick` is called before each one that is tried.
    """
    tried = iter_decodable(clips, range(len(clips)), report, tick)
    good = [index for index, _ in islice(tried, at_most)]
    return ReadableClips(clips, good, report) if good else None


def one_clip_per_track(
    clips: Dataset, report: Callable[[str], None], *, at_most: int
) -> list[Clip]:
    """Return a clip each of the first tracks that can be decoded; report those that can't."""
    chosen: dict[str, Clip] = {}
    for _, clip in iter_decodable(clips, range(len(clips)), report):
        chosen.setdefault(clip.source, clip)
        if len(chosen) == at_most:
            break
    return list(chosen.values())


def iter_decodable(
    clips: ClipSource,
    indices: Iterable[int],
    report: Callable[[str], None],
    tick: Callable[[], None] = lambda: None,
) -> Iterator[tuple[int, Clip]]:
    """Yield those of some clips that can be decoded, each with its index; report the others.

    `tick` is called before each one that is tried.
    """
    for index in indices:
        tick()
        try:
            clip = clips.clip(index)
        except AudioError as error:
            report(str(error))
        else:
            yield index, clip


def evenly_spread(count: int, at_most: int) -> list[int]:
    """Return indices below `count`, at most so many, spread evenly: neighbours are of one track."""
    chosen = min(count, at_most)
    return [number * count // chosen for number in range(chosen)]
