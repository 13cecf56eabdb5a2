"""Neutral recipe: a run's recipe without what only its owner's disk has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce
from operator import getitem
from pathlib import Path, PureWindowsPath
from typing import Any

from mousai_kit.core.component import Options, Use, iter_slots
from mousai_kit.core.errors import Problem, RecipeError
from mousai_kit.core.plugins import installed_registry
from mousai_kit.models import hub
from mousai_kit.recipe import Recipe, recipe_from_yaml
from mousai_kit.recipe.requirements import KEY
from mousai_kit.recipe.yaml import dump

YOURS = "your-music"
"""What stands where a path to music was."""
_STARTS: dict[str, Any] = {
    "weights": None,
    "revision": None,
    "partial": False,
    "freeze": [],
    "lora": None,
}
"""What a stage's finished weights started from is theirs no more."""

Place = tuple[str | int, ...]


def neutral(recipe: Recipe) -> Recipe:
    """Return a recipe of the same system that names no file, no device and no service of its owner.

    Paths to music become `your-music`, or go where an option may be left out. RecipeError where a
    part of the model lies on the disk (a text encoder, say): its weights would not be published.
    """
    values = recipe.to_dict()
    faults: list[Problem] = []
    for name in recipe.stages:
        values["stages"][name] |= _STARTS
        for place, text in local_paths(values["stages"][name]["model"]):
            told = f"lies on this disk ({text}); name a model on the hub, with its revision"
            faults += recipe.error_at(("stages", name, "model", *place), told).problems
    if faults:
        raise RecipeError(*faults)
    metrics = values["evaluate"]["metrics"]
    values["evaluate"]["metrics"] = [metric for metric in metrics if not any(local_paths(metric))]
    values |= {"device": "auto", "track": [], KEY: recipe.requires}
    values["data"] = _without_paths(recipe.data)
    return recipe_from_yaml(dump(values), registry=installed_registry())


def local_paths(value: Any, beside: Mapping[str, Any] | None = None) -> Iterator[tuple[Place, str]]:
    """Yield the places of plain values at which something on this disk is named, and its name."""
    if isinstance(value, str) and _is_local(value, beside or {}):
        yield (), value
    elif isinstance(value, Mapping | list):
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        around = value if isinstance(value, Mapping) else beside
        for key, item in items:
            yield from (((key, *place), text) for place, text in local_paths(item, around))


def _is_local(text: str, beside: Mapping[str, Any]) -> bool:
    """Tell a path from other words: what has a revision beside it is on the hub."""
    named = text in {beside.get(key) for key in ("path", "model")}
    if beside.get("revision"):
        return named and hub.is_folder(text)
    return (
        (named and Path(text).exists())
        or text.startswith("~")
        or "/" in text
        or PureWindowsPath(text).anchor != ""
    )


def _without_paths(use: Use[Any]) -> dict[str, Any]:
    """Return a dataset's plain values without paths: those that must be there are named anew."""
    data = use.values()
    for place, slot in iter_slots(use):
        kept: dict[str, Any] = reduce(getitem, place, data)
        inside = {at[0] for at, _ in iter_slots(slot) if at}
        own = {key: value for key, value in kept.items() if key not in inside}
        _drop_paths(kept, slot.component.Options, own)
    return data


def _drop_paths(kept: dict[str, Any], options: type[Options], own: dict[str, Any]) -> None:
    """Take the paths out of a dataset's `own` values, which are a part of those that are kept."""
    for place, _ in local_paths(own):
        key = str(place[0])
        if not options.model_fields[key].is_required():
            kept.pop(key, None)
        elif key in kept:
            kept[key] = _rename(kept[key])
    for key, field in options.model_fields.items():
        if field.is_required() and isinstance(kept.get(key), str) and not kept.get("revision"):
            kept[key] = YOURS


def _rename(value: Any) -> Any:
    """Return the same with all texts replaced."""
    if isinstance(value, str):
        return YOURS
    if isinstance(value, Mapping):
        return {key: _rename(item) for key, item in value.items()}
    return [_rename(item) for item in value] if isinstance(value, list) else value


def told_start(recipe: Recipe, name: str) -> str:
    """Return what a stage's weights started from, in words for a card; empty where from nothing.

    A path of the owner's is not told.
    """
    stage = recipe.stages[name]
    if stage.weights is None:
        return ""
    if stage.revision:
        return f"{stage.weights}, revision {stage.revision}"
    named = stage.weights in installed_registry().pretrained_systems
    return stage.weights if named else "other weights"
