"""What decides a stage's weights: two recipes that agree in it may share them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any, cast

from mousai_kit.core.component import Use, iter_slots, to_plain_dict
from mousai_kit.core.errors import MousaiError
from mousai_kit.core.plugins import installed_registry
from mousai_kit.recipe.loading import recipe_from_yaml
from mousai_kit.recipe.phases import for_training, settings
from mousai_kit.recipe.schema import Recipe, StageRecipe, fingerprint
from mousai_kit.recipe.train_options import drop_defaults

NEVER_CHANGE_WEIGHTS = (
    "accumulate",
    "on_bad_loss",
    "loss_explosion_factor",
    "recompute",
    "compile",
    "workers",
    "patience",
    "validate_every",
    "checkpoint_every",
    "keep_checkpoints",
    "keep_best",
    "final_weights",
    "steps",
    "minutes",
    "expected_minutes",
    "watch",
)
"""Settings of training that leave the weights as they are (but for rounding), or only say how long
it goes on. `final_weights` chooses among weights that are there."""


def stage_fingerprint_values(recipe: Recipe, stage: str) -> dict[str, Any]:
    """Return the plain values that decide a stage's weights, those of the stages below included.

    Samplers are left out wherever they are: they are no part of training.
    """
    recipe = for_training(recipe, stage)
    names = list(recipe.stages)
    stages = {}
    for name in names[: names.index(stage) + 1]:
        values = to_plain_dict(recipe.stages[name], without=("sampler",))
        for setting in NEVER_CHANGE_WEIGHTS:
            del values["train"][setting]
        del values["first"], values["distil"]
        stages[name] = {**drop_defaults(values), **_first(recipe.stages[name])}
    return {
        "seed": recipe.seed,
        "audio": to_plain_dict(recipe.audio),
        "data": _data(recipe.data),
        "stages": stages,
    }


def _data(use: Use[Any]) -> dict[str, Any]:
    """Return what a key says of a dataset and those inside it: what decides their clips."""
    found = use.values()
    for place, slot in iter_slots(use):
        inner, part = reduce(getitem, place, found), slot.component
        for option in (*getattr(part, "cache_only_options", ()), *part.never_change_weights):
            inner.pop(option, None)
    return found


def _first(part: StageRecipe) -> dict[str, Any]:
    """Return what a stage's key says of the stages that learn before it, if there are any.

    How long they do decides what this one learns on.
    """
    idle = set(NEVER_CHANGE_WEIGHTS) - {"steps", "minutes"}
    told = {
        name: {k: v for k, v in to_plain_dict(settings(part, name)).items() if k not in idle}
        for name in part.inner
    }
    return {"first": told} if told else {}


def model_key(key: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a stage's key that says what it is, not how it was trained."""
    stages = {name: {"model": values["model"]} for name, values in key["stages"].items()}
    return {"audio": key["audio"], "stages": stages}


def drop_settings(key: Mapping[str, Any], parts: Mapping[str, Collection[str]]) -> dict[str, Any]:
    """Return a stage's key without some parts of its stages: `{"generator": ("train",)}`."""
    stages = {
        name: {part: value for part, value in values.items() if part not in parts.get(name, ())}
        for name, values in key.get("stages", {}).items()
    }
    return {**key, "stages": stages}


def changed_settings(
    old: Mapping[str, Any], new: Mapping[str, Any], stage: str
) -> dict[str, list[Any]]:
    """Return the settings of a stage's training that two keys have otherwise: old value, new.

    Empty where anything else differs: then the state of one training is none of the other's.
    """
    own = {stage: ("train",)}
    if diff_paths(drop_settings(old, own), drop_settings(new, own)):
        return {}
    before, now = (key["stages"][stage].get("train", {}) for key in (old, new))
    return {
        f"train.{name}": [before.get(name), value]
        for name, value in now.items()
        if before.get(name) != value
    }


def stage_hash(recipe: Recipe, stage: str) -> str:
    """Return 12 hexadecimal digits that stand for a stage's key."""
    return fingerprint(stage_fingerprint_values(recipe, stage))


def diff_paths(one: Any, other: Any, path: str = "") -> list[str]:
    """Return the dotted paths at which two plain values differ, the deepest that tell."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        keys = [*one, *(key for key in other if key not in one)]
        pairs = [(key, one.get(key, _ABSENT), other.get(key, _ABSENT)) for key in keys]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = [(index, *pair) for index, pair in enumerate(zip(one, other, strict=True))]
    else:
        return (
            [] if (type(one) is type(other) and one == other) or _one_place(one, other) else [path]
        )
    below = [
        found
        for key, left, right in pairs
        for found in diff_paths(left, right, f"{path}.{key}" if path else str(key))
    ]
    return below or ([path] if path == "stages" and list(one) != list(other) else [])


_ABSENT = object()


def _one_place(one: Any, other: Any) -> bool:
    """Tell whether two texts are one path: recipes of earlier versions had it relative to here."""
    texts = isinstance(one, str) and isinstance(other, str)
    return texts and "/" in one + other and Path(one).resolve() == Path(other).resolve()


def key_today(found: dict[str, Any]) -> dict[str, Any]:
    """Return the key of a stage's file with the names and defaults of today's components.

    As it stands where those do not know what the recipe said.
    """
    try:
        recipe = recipe_from_yaml(found["recipe"], registry=installed_registry())
        return stage_fingerprint_values(recipe, found["stage"])
    except (MousaiError, KeyError, ValueError):
        return cast("dict[str, Any]", found.get("key", {}))
