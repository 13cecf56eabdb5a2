"""Facts of a run that its card tells, as plain values without a name of its owner's files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, get_args

from mousai_kit.core.console import Screen
from mousai_kit.core.errors import MousaiError
from mousai_kit.core.interfaces import Dataset, Split
from mousai_kit.data.analysis import analyze, summarize_analysis
from mousai_kit.data.combined import holds_tracks
from mousai_kit.data.datasets import dataset
from mousai_kit.recipe import Recipe, trainings
from mousai_kit.runs import checkpoint
from mousai_kit.runs.run_folder import RunFolder

Facts = dict[str, Any]
OPEN = ("CC", "PUBLIC DOMAIN", "PD", "MIT", "BSD")
"""How licences begin that are told by name; others may be anybody's words, and are counted."""


def data_facts(recipe: Recipe, screen: Screen) -> Facts:
    """Return what a run learned from: tracks, hours, licences; without figures where it is gone."""
    facts: Facts = {"use": recipe.data.component.name, "tracks": None, "clips": None}
    length = next(iter(recipe.stages.values())).train.length
    try:
        splits = {split: dataset(recipe, length=length, split=split) for split in get_args(Split)}
        tracks = {split: data for split, data in splits.items() if holds_tracks(data)}
        if not tracks:
            return facts | {"clips": sum(map(len, splits.values()))}
        return facts | _tracks(tracks, recipe, screen)
    except MousaiError:
        return facts


def _tracks(splits: Mapping[Split, Dataset], recipe: Recipe, screen: Screen) -> Facts:
    """Return figures of tracks, by their headers and tags."""
    rate = recipe.audio.sample_rate
    found = summarize_analysis(analyze("", splits, sample_rate=rate, quick=True, screen=screen))
    licences: Counter[str] = Counter()
    for name, count in found["licences"].items():
        known = name.upper().startswith(OPEN)
        licences[name if known else {"none": "none told"}.get(name, "others")] += count
    return {
        "tracks": found["pieces"],
        "held_out": found["splits"].get("validation", 0),
        "hours": found["hours"],
        "licences": dict(licences.most_common()),
    }


def training_facts(recipe: Recipe, folder: RunFolder) -> dict[str, Facts]:
    """Return how each stage was trained, and before it what is inside it, as weights tell."""
    found = (training for stage in recipe.stages for training in trainings(recipe, stage))
    there = ((part, name) for part, name in found if folder.stage(name).weights.is_file())
    return {name: _training(part, folder, name) for part, name in there}


def _training(recipe: Recipe, folder: RunFolder, name: str) -> Facts:
    header = checkpoint.read_header(folder.stage(name).weights)
    train = recipe.stages[name].train
    return {
        "steps": header.get("step"),
        "seconds": header.get("seconds"),
        "imported": "imported" in header,
        "changes": folder.stage(name).changes,
        "batch": train.batch,
        "crop": train.length / recipe.audio.sample_rate,
        "learning_rate": train.learning_rate,
        "precision": train.precision,
    }


def figures(recipe: Recipe, folder: RunFolder) -> Facts | None:
    """Return the means of a run's report; None where there is none of these weights."""
    try:
        kept = json.loads((folder.path / "report.json").read_text(encoding="utf-8"))
        digests = [
            checkpoint.read_header(folder.stage(stage).weights)["digest"] for stage in recipe.stages
        ]
        if kept["made_from"]["weights"] != digests:
            return None
        return {"decoded": [_means(part) for part in kept["decoded"]], "loss": kept["loss"]}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _means(part: Mapping[str, Any]) -> Facts:
    """Return a part of a report with a mean for each way in place of scores by clip."""
    return {
        "stage": part["stage"],
        "split": part["split"],
        "clips": len(part["clips"]),
        "metrics": {
            metric: {way: sum(scores) / len(scores) for way, scores in ways.items()}
            for metric, ways in part.items()
            if isinstance(ways, dict)
        },
    }
