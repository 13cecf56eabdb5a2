"""The run folder: where a system's weights, logs, audio and report lie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from torch import Tensor

from mousai_kit import checkpoints, lock
from mousai_kit.errors import MousaiError, Problem, RunError, WeightsError
from mousai_kit.plugins import installed
from mousai_kit.ranks import Rank, strangers
from mousai_kit.recipe import (
    RECIPE,
    RUNS,
    Recipe,
    differences,
    model_key,
    stage_key,
    stored_recipe,
)
from mousai_kit.stage_folder import StageFolder

START = "start"
"""What a file says of the weights that training started from: what stands for them."""


class RunFolder:
    """A run folder: `recipe.yaml`, a folder a stage, `audio/`, `report.md`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def default(cls, recipe: Recipe) -> RunFolder:
        """Return the run folder that a recipe has where none is named: `runs/<name>`."""
        return cls(RUNS / recipe.name)

    @staticmethod
    def is_one(path: Path) -> bool:
        """Return whether a path is a run folder."""
        return (path / RECIPE).is_file()

    @property
    def audio(self) -> Path:
        """Return the folder for clips."""
        return self.path / "audio"

    @property
    def recipe(self) -> Path:
        """Return the recipe that made the run."""
        return self.path / RECIPE

    @property
    def skipped(self) -> Path:
        """Return the list of music that was left out, with the reasons."""
        return self.path / "skipped.txt"

    def stage(self, name: str) -> StageFolder:
        """Return the files of a stage."""
        return StageFolder(self.path / name)

    def make(self) -> None:
        """Create the folder; RunError where that can't be."""
        if self.path.is_file():
            raise RunError(
                Problem(str(self.path), "", "is a file; name a folder for the run with --out")
            )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable(error) from None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs out of the folder; RunError where one is in it or it can't be written.

        Of several processes that work together, the first does so for all.
        """
        if not Rank.here().main:
            yield
            return
        self.make()
        try:
            with lock.held(self.path / ".lock"):
                yield
        except lock.InUseError as error:
            raise RunError(Problem(str(self.path), "", _used_by(error.owner))) from None
        except lock.RefusedError as error:
            raise self._unusable(error.reason) from None

    def write(self, name: str, text: str) -> Path:
        """Write a text file of the run, whole or not at all; one that says so already is left."""
        path = self.path / name
        if path.is_file() and path.read_bytes() == text.encode():
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        checkpoints.write_bytes(path, text.encode())
        return path

    def header(self, recipe: Recipe, name: str) -> dict[str, Any]:
        """Return what the files of a stage say of where they come from."""
        names = list(recipe.stages)
        below = [self.stage(other).weights for other in names[: names.index(name)]]
        return {
            "stage": name,
            "key": stage_key(recipe, name),
            "recipe": recipe.dump(),
            "below": [checkpoints.header(path)["digest"] for path in below],
        }

    def difference(self, path: Path, expected: dict[str, Any]) -> list[str]:
        """Return in what a stage's file differs from what is expected; empty where it fits."""
        found = checkpoints.header(path)
        keys = [found.get("key", {}), expected["key"]]
        if keys[0] != keys[1]:
            keys[0] = key_today(found)
        if "imported" in found:  # not trained here, so not on the recipe's music either
            keys = [model_key(key) for key in keys]
        different = differences(*keys)
        if not different and found.get("below") != expected["below"]:
            different = ["the weights of the stage below"]
        if not different and START in expected and found.get(START) != expected[START]:
            different = ["the weights that it starts from"]
        return different

    def check_trained(self, recipe: Recipe, names: Sequence[str] | None = None) -> None:
        """Raise WeightsError naming every stage (of `names`) that is not trained."""
        wanted = recipe.stages if names is None else names
        paths = [self.stage(name).weights for name in wanted]
        missing = [
            Problem(
                str(path), "", "is missing: the stage is not trained; `mousai-kit run` trains it"
            )
            for path in paths
            if not path.exists()
        ]
        if missing:
            raise WeightsError(*missing)

    def trained(self, recipe: Recipe) -> list[str]:
        """Return the stages whose weights are there."""
        return [name for name in recipe.stages if self.stage(name).weights.exists()]

    def load(self, recipe: Recipe, name: str) -> dict[str, Tensor]:
        """Return a stage's finished weights; WeightsError names what another recipe's differ in."""
        path = self.stage(name).weights
        if different := self.difference(path, self.header(recipe, name)):
            raise WeightsError(
                Problem(
                    str(path), "", f"was made by another recipe; it differs in {some(different)}"
                )
            )
        return checkpoints.read(path)[0]

    def _unusable(self, error: OSError) -> RunError:
        return RunError(
            Problem(
                str(self.path),
                "",
                f"can't be written ({error.strerror}); name another folder with --out",
            )
        )


def _used_by(owner: str) -> str:
    """Return what to say where another process uses a run folder."""
    told = f"is in use by another run (process {owner})"
    if started := strangers():
        return (
            f"{told}: {started}; for one training let it start torchrun, which starts this (see "
            "docs/cluster.md), for several give each its own --out"
        )
    return f"{told}; wait for it or use --out"


def key_today(found: dict[str, Any]) -> dict[str, Any]:
    """Return the key of a stage's file with the names and defaults of today's components.

    As it stands where those do not know what the recipe said.
    """
    try:
        recipe = stored_recipe(found["recipe"], registry=installed())
        return stage_key(recipe, found["stage"])
    except (MousaiError, KeyError, ValueError):
        return cast("dict[str, Any]", found.get("key", {}))


def some(paths: list[str]) -> str:
    """Return up to four paths as one line."""
    more = f" and {len(paths) - 4} more" if len(paths) > 4 else ""
    return ", ".join(paths[:4]) + more
