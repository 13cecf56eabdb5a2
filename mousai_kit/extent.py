"""Extent: how long training goes on, over how much data, and what it leaves on the disk."""

from __future__ import annotations

from typing import Any

from mousai_kit.cascade import Cascade
from mousai_kit.data import training_clips
from mousai_kit.errors import MousaiError
from mousai_kit.recipe import Recipe, Train

CHECKPOINT_COPIES = 4
"""Weights, their average and two moments: what a checkpoint holds of every learned parameter."""

Facts = dict[str, Any]


def run_facts(train: Train, seconds: float | None) -> Facts:
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


def data_facts(recipe: Recipe, train: Train, steps: int | None) -> Facts:
    """Return how many clips there are and how often each is learned from, or why they are not."""
    try:
        clips = len(training_clips(recipe, length=train.length))
    except MousaiError as error:
        return {"clips": None, "epochs": None, "fault": str(error).splitlines()[0]}
    epochs = None if steps is None else round(steps * train.batch / clips, 2)
    return {"clips": clips, "epochs": epochs, "fault": ""}


def latent_facts(
    cascade: Cascade, name: str, train: Train, clips: int | None, seconds: float | None
) -> Facts | None:
    """Return what encoding for a stage takes, None for the lowest: it learns from audio."""
    below = cascade.stages[name].below
    if below.stride == 1:
        return None
    if clips is None:
        return {"crops": None, "seconds": None, "bytes": None}
    crops = clips * train.passes
    size = 4 * crops * below.channels * below.frames(train.length)
    return {"crops": crops, "seconds": None if seconds is None else crops * seconds, "bytes": size}


def disk_facts(cascade: Cascade, name: str, *, given: bool = False) -> Facts:
    """Return the bytes of a stage's files; a checkpoint lacks what is `given` and never learns."""
    stage = cascade.stages[name]
    state = {key: it.nbytes for key, it in stage.state_dict().items()}
    weights = sum(state.values())
    learned = sum(it.nbytes for it in stage.parameters() if it.requires_grad)
    stays = [key for key, it in stage.named_parameters() if given and not it.requires_grad]
    kept = weights - sum(state.get(key, 0) for key in stays)
    return {"weights": weights, "checkpoint": kept + (CHECKPOINT_COPIES - 1) * learned}
