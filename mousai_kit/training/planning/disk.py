"""Room: whether the disk holds what a run will leave, looked at before anything is trained.

Extent: how long training goes on, over how much data, and what it leaves on the disk.
"""

from __future__ import annotations

from itertools import dropwhile
from typing import Any

from mousai_kit.core.errors import MousaiError, join_quoted
from mousai_kit.data.datasets import training_clips
from mousai_kit.models.cascade import Cascade
from mousai_kit.models.memory import check_disk_space
from mousai_kit.recipe import Recipe, Train, trainings
from mousai_kit.runs.run_folder import RunFolder
from mousai_kit.runs.status import is_up_to_date
from mousai_kit.training.finetuning import FineTuning
from mousai_kit.training.state import checkpoint_size

Facts = dict[str, Any]


def run_length(train: Train, seconds: float | None) -> Facts:
    """Return how many steps are taken, in how many seconds, and what ends them.

    With `minutes` and steps of unknown length only the longest that it takes is known.
    """
    longest = None if train.minutes is None else 60 * train.minutes
    if seconds is None:
        return {"steps": None if longest else train.steps, "seconds": longest, "ends": "unknown"}
    whole = train.steps * seconds
    if longest is not None and longest < whole:
        return {"steps": int(longest / seconds), "seconds": longest, "ends": "minutes"}
    return {"steps": train.steps, "seconds": whole, "ends": "steps"}


def dataset_usage(recipe: Recipe, train: Train, steps: int | None) -> Facts:
    """Return how many clips there are and how often each is learned from, or why they are not."""
    try:
        clips = len(training_clips(recipe, length=train.length))
    except MousaiError as error:
        return {"clips": None, "epochs": None, "fault": str(error).splitlines()[0]}
    epochs = None if steps is None else round(steps * train.batch / clips, 2)
    return {"clips": clips, "epochs": epochs, "fault": ""}


def latent_cache_size(
    cascade: Cascade, name: str, train: Train, clips: int | None, seconds: float | None
) -> Facts | None:
    """Return what encoding for a stage takes, None for the lowest: it learns from audio."""
    below = cascade.stages[name].input_space
    if below.stride == 1:
        return None
    if clips is None:
        return {"crops": None, "seconds": None, "bytes": None}
    crops = clips * train.passes
    size = 4 * crops * below.channels * below.frames(train.length)
    return {"crops": crops, "seconds": None if seconds is None else crops * seconds, "bytes": size}


def check_training_space(recipe: Recipe, folder: RunFolder) -> None:
    """Raise RequestError where the disk won't hold what the stages yet to be trained leave.

    What is known beforehand is counted: checkpoints, weights, and latents to learn from.
    """
    names = [*dropwhile(lambda name: is_up_to_date(recipe, folder, name), recipe.stages)]
    if not names:
        return
    outline = Cascade.build(recipe, device="meta")
    needed = sum(max(0, _all_left(recipe, outline, name) - _there(folder, name)) for name in names)
    check_disk_space(
        folder.path,
        needed,
        f"training {join_quoted(names)} (checkpoints, weights, latents)",
        "free some, lower `keep_checkpoints` or `passes`, or name another folder for the run",
    )


def _all_left(recipe: Recipe, outline: Cascade, name: str) -> int:
    """Return about how many bytes a stage leaves, with the stages inside that come first."""
    return sum(
        _bytes_left(part, outline if phase == name else Cascade.build(part, device="meta"), phase)
        for part, phase in trainings(recipe, name)
    )


def _bytes_left(recipe: Recipe, outline: Cascade, name: str) -> int:
    """Return about how many bytes a stage's training leaves, while one checkpoint is written."""
    stage, train = outline.stages[name], recipe.stages[name].train
    tuned = FineTuning(recipe, name, stage)
    weights = checkpoint_size(stage)["weights"]
    if not tuned.learns:
        return weights
    tuned.begin()
    given = recipe.stages[name].weights is not None
    checkpoints = (train.keep_checkpoints + 1) * checkpoint_size(stage, given=given)["checkpoint"]
    files = 2 if train.keep_best or train.final_weights == "best" else 1
    return checkpoints + files * weights + _latents(recipe, outline, name)


def _latents(recipe: Recipe, outline: Cascade, name: str) -> int:
    """Return the bytes of the latents that a stage learns from, 0 where they can't be told."""
    train = recipe.stages[name].train
    if outline.stages[name].input_space.stride == 1:
        return 0
    clips = dataset_usage(recipe, train, None)["clips"]
    return (latent_cache_size(outline, name, train, clips, None) or {}).get("bytes") or 0


def _there(folder: RunFolder, name: str) -> int:
    """Return the bytes of a stage's files that are there: they stay, or are replaced."""
    return sum(path.stat().st_size for path in folder.stage(name).path.rglob("*.safetensors"))
