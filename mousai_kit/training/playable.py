"""Playable copy: a run as it stands, with the averages of a checkpoint for what is not finished."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from mousai_kit.core.errors import Problem, RunError, WeightsError
from mousai_kit.models.cascade import Cascade
from mousai_kit.recipe import RECIPE, Recipe
from mousai_kit.runs import checkpoint
from mousai_kit.runs.resolve import resolve_recipe
from mousai_kit.runs.run_folder import INITIAL_WEIGHTS, RunFolder, StageDirectory
from mousai_kit.training.finetuning import FineTuning, InitialWeights

REMEMBERED = ("learner", "guard", "observers")
"""What a checkpoint's header says for training to go on, besides `checkpoint.PLAIN`."""


@dataclass(frozen=True, slots=True)
class PlayableRun:
    """What of a run can make music now: for each stage its weights, or a checkpoint of it."""

    recipe: Recipe
    folder: RunFolder
    sources: dict[str, Path]

    @classmethod
    def find(cls, run: Path) -> PlayableRun:
        """Return what there is in a run folder; RunError where a stage has nothing yet."""
        folder = RunFolder(run)
        if not folder.recipe.is_file():
            raise RunError.about(run, "holds no recipe.yaml yet")
        recipe = resolve_recipe(str(folder.recipe), None, own=True)
        found = {name: _source(folder.stage(name)) for name in recipe.stages}
        told = "has no weights and no checkpoint yet"
        if missing := [name for name, source in found.items() if source is None]:
            raise RunError(*(Problem(str(run / name), "", told) for name in missing))
        return cls(recipe, folder, {name: path for name, path in found.items() if path})

    @property
    def is_finished(self) -> bool:
        """Return whether all stages have finished weights."""
        return all(self.folder.stage(name).weights == path for name, path in self.sources.items())

    @property
    def step(self) -> int:
        """Return the steps that the top stage has had; 0 where its weights tell none."""
        header = checkpoint.read_header(list(self.sources.values())[-1])
        return int(header.get("step", 0))

    def write(self, target: Path) -> Path:
        """Make a run folder that is there whole or not at all; return it.

        Finished weights are the same file where the disk can, else copied. WeightsError where a
        checkpoint is broken, or what it was learned beside is not the same any more.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=target.parent, prefix=".") as place:
            copy = RunFolder(Path(place, target.name))
            copy.make()
            shutil.copyfile(self.folder.recipe, copy.path / RECIPE)
            for name, source in self.sources.items():
                files = copy.stage(name)
                files.path.mkdir(parents=True)
                if source == self.folder.stage(name).weights:
                    _link(source, files.weights)
                    if (adapter := self.folder.stage(name).adapter).is_file():
                        _link(adapter, files.adapter)
                else:
                    self._write_average(name, source, files)
            copy.path.replace(target)
        return target

    def _write_average(self, name: str, source: Path, files: StageDirectory) -> None:
        """Write the averaged weights of a checkpoint as a stage's own."""
        tensors, header = checkpoint.read_checkpoint(source)
        average, about = _average(tensors), _origin(header)
        with torch.random.fork_rng(devices=[]):
            stage = Cascade.build(self.recipe, device=torch.device("cpu")).stages[name]
            given = InitialWeights.find(self.recipe, name)
            if given and about.get(INITIAL_WEIGHTS, given.digest) != given.digest:
                told = f"was learned beside other weights than {given.origin} has now"
                raise WeightsError.about(source, told)
            tuned = FineTuning(self.recipe, name, stage, given)
            tuned.begin()
            if not tuned.saves_trainable_only:
                checkpoint.write_checkpoint(files.weights, average, about)
                return
            checkpoint.write_checkpoint(files.trainable_weights, average, about)
            tuned.end(files)


def _source(files: StageDirectory) -> Path | None:
    """Return a stage's weights, or a checkpoint that has had more steps; None without both."""
    newest = next(filter(checkpoint.is_checkpoint, _checkpoints(files)), None)
    if not files.weights.is_file():
        return newest
    done = checkpoint.read_header(files.weights).get("step")
    if newest is None or done is None or done >= checkpoint.read_header(newest)["step"]:
        return files.weights
    return newest


def _checkpoints(files: StageDirectory) -> list[Path]:
    return checkpoint.list_checkpoints(files.checkpoints)


def _average(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a checkpoint's averaged weights, and all else of its stage, by name."""
    groups: dict[str, dict[str, Tensor]] = {"live": {}, "ema": {}}
    for name, tensor in tensors.items():
        group, _, rest = name.partition("/")
        groups.setdefault(group, {})[rest] = tensor
    return groups["live"] | groups["ema"]


def _origin(header: dict[str, Any]) -> dict[str, Any]:
    """Return what a header says of where a file is from, and its step."""
    dropped = (*checkpoint.PLAIN, *REMEMBERED)
    return {key: value for key, value in header.items() if key not in dropped}


def _link(source: Path, target: Path) -> None:
    """Give a file, which is replaced and never changed, a second name; copy it where that fails."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
