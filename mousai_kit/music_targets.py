"""Music targets: the data set that a command's words stand for, and all of it looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mousai_kit.building import build
from mousai_kit.console import Screen
from mousai_kit.data import dataset
from mousai_kit.errors import Problem, RecipeError, RequestError
from mousai_kit.interfaces import Dataset, Split
from mousai_kit.library.checking import checked
from mousai_kit.library.summary import Library
from mousai_kit.recipe import Recipe, shipped
from mousai_kit.runs import RunFolder
from mousai_kit.targets import recipe_of, run_of

RECIPES = (".yaml", ".yml")
"""How the name of a recipe's file ends."""
SPLITS: tuple[Split, ...] = ("train", "validation")
RATE = 48_000
"""Sample rate of a folder's clips in Hz: none is cut, so that it has no influence."""


def library_of(source: str, overrides: Sequence[str] | None, *, quick: bool) -> Library:
    """Return all that a recipe, a run or a folder of music holds, looked at.

    RequestError where a folder of music comes with overrides; AudioError where it has no music.
    """
    sample_rate, datasets = _datasets(source, overrides)
    return checked(source, datasets, sample_rate=sample_rate, quick=quick, screen=Screen())


def _datasets(source: str, overrides: Sequence[str] | None) -> tuple[int, dict[Split, Dataset]]:
    """Return the clips' sample rate, and both splits."""
    folder = Path(source).expanduser()
    if folder.is_dir() and not RunFolder.is_one(folder) and source not in shipped():
        if overrides:
            told = "is a folder of music; `--set` changes a recipe"
            raise RequestError(Problem(source, "", told))
        wiring = {"sample_rate": RATE, "channels": 2, "length": RATE}
        what = {"use": "folder", "path": str(folder)}
        return RATE, {it: build("dataset", what, split=it, **wiring) for it in SPLITS}
    recipe = run_of(source, overrides)[0] if folder.is_dir() else _recipe(source, overrides)
    length = next(iter(recipe.stages.values())).train.length
    return recipe.audio.sample_rate, {
        split: dataset(recipe, length=length, split=split) for split in SPLITS
    }


def _recipe(source: str, overrides: Sequence[str] | None) -> Recipe:
    """Return a recipe; RequestError where a file is none, and is not called one either."""
    try:
        return recipe_of(source, overrides)
    except RecipeError:
        file = Path(source)
        if not file.is_file() or file.suffix.lower() in RECIPES:
            raise
    told = "is no recipe; name the folder that the music is in, a recipe (.yaml) or a run folder"
    raise RequestError(Problem(source, "", told))
