"""What decides a stage's weights: two recipes that agree in it may share them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mousai_kit.component import plain
from mousai_kit.recipe.schema import Recipe, fingerprint
from mousai_kit.recipe.tuning import decisive

NEVER_CHANGE_WEIGHTS = (
    "accumulate",
    "bad_loss",
    "explodes_at",
    "recompute",
    "compile",
    "workers",
    "patience",
    "validate_every",
    "checkpoint_every",
    "keep",
    "keep_best",
    "finish",
    "steps",
    "minutes",
    "watch",
)
"""Settings of training that leave the weights as they are (but for rounding), or only say how long
it goes on. `finish` chooses among weights that are there."""


def stage_key(recipe: Recipe, stage: str) -> dict[str, Any]:
    """Return the plain values that decide a stage's weights, those of the stages below included.

    Samplers are left out wherever they are: they are no part of training.
    """
    names, idle = list(recipe.stages), recipe.data.component.never_change_clips
    stages = {}
    for name in names[: names.index(stage) + 1]:
        values = plain(recipe.stages[name], without=("sampler",))
        for setting in NEVER_CHANGE_WEIGHTS:
            del values["train"][setting]
        stages[name] = decisive(values)
    return {
        "seed": recipe.seed,
        "audio": plain(recipe.audio),
        "data": {key: value for key, value in recipe.data.values().items() if key not in idle},
        "stages": stages,
    }


def model_key(key: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a stage's key that says what it is, not how it was trained."""
    stages = {name: {"model": values["model"]} for name, values in key["stages"].items()}
    return {"audio": key["audio"], "stages": stages}


def stage_hash(recipe: Recipe, stage: str) -> str:
    """Return 12 hexadecimal digits that stand for a stage's key."""
    return fingerprint(stage_key(recipe, stage))


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Return the dotted paths at which two plain values differ, the deepest that tell."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        keys = [*one, *(key for key in other if key not in one)]
        pairs = [(key, one.get(key, _ABSENT), other.get(key, _ABSENT)) for key in keys]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = [(index, *pair) for index, pair in enumerate(zip(one, other, strict=True))]
    else:
        return [] if type(one) is type(other) and one == other else [path]
    below = [
        found
        for key, left, right in pairs
        for found in differences(left, right, f"{path}.{key}" if path else str(key))
    ]
    return below or ([path] if path == "stages" and list(one) != list(other) else [])


_ABSENT = object()
