"""The data set that the words of `data check` stand for, and all of it looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mousai_kit.core.build import build
from mousai_kit.core.console import Screen
from mousai_kit.core.errors import RecipeError, RequestError
from mousai_kit.core.interfaces import Dataset, Split
from mousai_kit.data.analysis import DatasetAnalysis, analyze
from mousai_kit.data.datasets import dataset
from mousai_kit.recipe import Recipe, shipped_recipes
from mousai_kit.runs.resolve import resolve_recipe, resolve_run
from mousai_kit.runs.run_folder import RunFolder

RECIPES = (".yaml", ".yml")
"""How the name of a recipe's file ends."""
SPLITS: tuple[Split, ...] = ("train", "validation")
RATE = 48_000
"""Sample rate of a folder's clips in Hz: none is cut, so that it has no influence."""


def analyze_source(source: str, overrides: Sequence[str] | None, *, quick: bool) -> DatasetAnalysis:
    """Return all that a recipe, a run or a folder of music holds, looked at.

    RequestError where a folder of music comes with overrides; AudioError where it has no music.
    """
    sample_rate, datasets = _datasets(source, overrides)
    return analyze(source, datasets, sample_rate=sample_rate, quick=quick, screen=Screen())


def _datasets(source: str, overrides: Sequence[str] | None) -> tuple[int, dict[Split, Dataset]]:
    """Return the clips' sample rate, and both splits."""
    folder = Path(source).expanduser()
    if folder.is_dir() and not RunFolder.is_run(folder) and source not in shipped_recipes():
        if overrides:
            raise RequestError.about(source, "is a folder of music; `--set` changes a recipe")
        build_kwargs = {"sample_rate": RATE, "channels": 2, "length": RATE}
        what = {"use": "folder", "path": str(folder)}
        return RATE, {item: build(Dataset, what, split=item, **build_kwargs) for item in SPLITS}
    recipe = resolve_run(source, overrides)[0] if folder.is_dir() else _recipe(source, overrides)
    length = next(iter(recipe.stages.values())).train.length
    return recipe.audio.sample_rate, {
        split: dataset(recipe, length=length, split=split) for split in SPLITS
    }


def _recipe(source: str, overrides: Sequence[str] | None) -> Recipe:
    """Return a recipe; RequestError where a file is none, and is not called one either."""
    try:
        return resolve_recipe(source, overrides)
    except RecipeError:
        file = Path(source)
        if not file.is_file() or file.suffix.lower() in RECIPES:
            raise
    told = "is no recipe; name the folder that the music is in, a recipe (.yaml) or a run folder"
    raise RequestError.about(source, told)
