"""Standing: how far the stages of a run have come, by what lies in its folder."""

from __future__ import annotations

from pathlib import Path

from mousai_kit.core.errors import WeightsError
from mousai_kit.recipe import Recipe, trainings
from mousai_kit.runs import checkpoint
from mousai_kit.runs.run_folder import RunFolder


def is_trained(recipe: Recipe, folder: RunFolder, name: str) -> bool:
    """Return whether a stage has had the steps or the minutes that the recipe asks for."""
    files, settings = folder.stage(name), recipe.stages[name].train
    if not files.weights.exists():
        return False
    header = checkpoint.read_header(files.weights)
    if "imported" in header:
        return True
    if header.get("finish", "last") != settings.final_weights and files.checkpoint is not None:
        return False  # the other weights are written from there
    timed = settings.minutes is not None and header["seconds"] >= 60 * settings.minutes
    return timed or bool(header["step"] >= settings.steps)


def is_up_to_date(recipe: Recipe, folder: RunFolder, name: str) -> bool:
    """Return whether a stage is trained as the recipe says, whatever it started from."""
    try:
        return _fits(recipe, folder, name, folder.stage(name).weights) and is_trained(
            recipe, folder, name
        )
    except WeightsError:
        return False


def status_message(recipe: Recipe, folder: RunFolder) -> str:
    """Return how far a run has come that was interrupted, and how it goes on."""
    left = (name for name in recipe.stages if not is_up_to_date(recipe, folder, name))
    for part, name in (training for stage in left for training in trainings(recipe, stage)):
        if is_up_to_date(part, folder, name):
            continue
        if (step := _step(part, folder, name)) is None:
            there = f"{folder.path} has no checkpoint of '{name}' yet"
            return f"{there}; the same command goes on with what is there"
        steps = part.stages[name].train.steps
        there = f"{folder.path} has a checkpoint of '{name}' at step {step} of {steps}"
        return f"{there}; the same command goes on from it"
    return f"all stages in {folder.path} are trained; the same command goes on with the music"


def _step(recipe: Recipe, folder: RunFolder, name: str) -> int | None:
    """Return the step from which a stage's training would go on, None where it would begin."""
    path = folder.stage(name).checkpoint
    try:
        if path is None or not _fits(recipe, folder, name, path):
            return None
        return int(checkpoint.read_header(path)["step"])
    except WeightsError:
        return None


def _fits(recipe: Recipe, folder: RunFolder, name: str, path: Path) -> bool:
    """Return whether a stage's file is this recipe's; WeightsError where it can't be told."""
    return not folder.mismatches(path, folder.provenance(recipe, name))
