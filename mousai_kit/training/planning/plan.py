"""A plan: parameters, memory, time and disk of each stage, and what would make it fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from mousai_kit.core.errors import format_path
from mousai_kit.core.interfaces import Stage
from mousai_kit.models import device as devices
from mousai_kit.models import memory as meter
from mousai_kit.models.cascade import Cascade
from mousai_kit.models.memory import SAFE_SHARE
from mousai_kit.recipe import Recipe, Train, settings_place, trainings
from mousai_kit.training.finetuning import FineTuning
from mousai_kit.training.planning.cost import ProbeFailure, StepCost, Suggestion, suggest_settings
from mousai_kit.training.planning.disk import Facts, dataset_usage, latent_cache_size, run_length
from mousai_kit.training.planning.measuring import CostEstimator
from mousai_kit.training.planning.probe import ProbeResult
from mousai_kit.training.state import checkpoint_size


def plan_training(
    recipe: Recipe, *, seconds: float, memory: int | None, report: Callable[[str], None]
) -> Facts:
    """Return what training takes, from steps that are measured for about so many seconds.

    `memory` bytes take the place of what is free here; `report` hears what is being measured.
    Nothing is trained, fetched or written.
    """
    device = devices.resolve_device(recipe.device)
    outline = Cascade.build(recipe, device="meta")
    tuned = {name: FineTuning(recipe, name, stage) for name, stage in outline.stages.items()}
    learning = [name for name, parameter in tuned.items() if parameter.learns]
    for name in learning:
        tuned[name].begin()
    free = meter.free_bytes(device) if memory is None else memory
    whole = [training for name in learning for training in trainings(recipe, name)]
    stages = []
    for part, name in whole:
        share = seconds / len(whole)
        built = outline if name in outline.stages else Cascade.build(part, device="meta")
        costing = CostEstimator(part, name, built, seconds=share, memory=free, report=report)
        stages.append(_stage_facts(part, name, built, costing))
    return {
        "name": recipe.name,
        "device": str(device),
        "free_bytes": free,
        "usable_bytes": round(SAFE_SHARE * free),
        "stages": stages,
        "taken": [name for name in outline.stages if name not in learning],
        "seconds": _sum(_whole_seconds(duration) for duration in stages),
    }


def _stage_facts(recipe: Recipe, name: str, outline: Cascade, costing: CostEstimator) -> Facts:
    stage, train = outline.stages[name], recipe.stages[name].train
    cost = costing.of(train)
    found = costing.measure(train)
    step = _step_facts(train, cost, found)
    run = run_length(train, step["seconds"])
    data = dataset_usage(recipe, train, run["steps"])
    room = SAFE_SHARE * costing.memory
    fits = None if step["bytes"] is None else step["bytes"] <= room
    offers = suggest_settings(train, costing.of, room) if fits is False else []
    return {
        "name": name,
        "use": stage.name,
        "parameters": _parameters(stage),
        "state": _state(stage),
        "train": train.model_dump(
            include={"batch", "accumulate", "length", "precision", "recompute", "workers"}
        ),
        "measured": [asdict(sample) for sample in found.points[1:]],
        "step": step,
        "fits": fits,
        "advice": [_advice_facts(name, suggestion) for suggestion in offers],
        "run": run,
        "data": data,
        "latents": latent_cache_size(outline, name, train, data["clips"], found.encoding),
        "disk": checkpoint_size(stage, given=recipe.stages[name].weights is not None),
        "notes": [*filter(None, (found.missing, _unmeasured_note(found), _uncompiled_note(train)))],
    }


def _unmeasured_note(found: ProbeResult) -> str:
    """Return what to say where nothing was measured and nothing tells why; else nothing."""
    measured = any(sample.batch for sample in found.points)
    return "" if measured or found.stopped else "nothing was measured in this time; raise --seconds"


def _uncompiled_note(train: Train) -> str:
    """Return what to say of a stage that `run` compiles: that would take longer than all steps."""
    return "measured without `compile`; steps differ, once compiled" if train.compile else ""


def _step_facts(train: Train, cost: StepCost | None, found: ProbeResult) -> Facts:
    """Return what a step takes, how that is known, and why it was not measured."""
    stopped = found.stopped or ProbeFailure("")
    return {
        "bytes": cost.bytes(train) if cost else None,
        "seconds": cost.seconds(train) if cost else None,
        "measured": cost is not None and cost.is_measured(train),
        "stopped": stopped.reason,
        "longer_than": stopped.longer_than if cost else None,
    }


def _parameters(stage: Stage) -> Facts:
    learned = sum(parameter.numel() for parameter in stage.parameters() if parameter.requires_grad)
    whole = sum(parameter.numel() for parameter in stage.parameters())
    return {"learned": learned, "frozen": whole - learned}


def _state(stage: Stage) -> Facts:
    """Return the bytes that training holds of the parameters, whatever the batch."""
    learned = sum(parameter.nbytes for parameter in stage.parameters() if parameter.requires_grad)
    weights = sum(parameter.nbytes for parameter in stage.parameters())
    return {"weights": weights, "gradients": learned, "moments": 2 * learned, "average": learned}


def _advice_facts(name: str, offer: Suggestion) -> Facts:
    facts, place = asdict(offer), format_path(settings_place(name))
    changes = facts.pop("changes").items()
    return {"set": [f"{place}.{key}={str(value).lower()}" for key, value in changes], **facts}


def _whole_seconds(stage: Facts) -> float | None:
    """Return how long a stage takes, what it learns from being encoded first."""
    encoding = stage["latents"]["seconds"] if stage["latents"] else 0.0
    return _sum([stage["run"]["seconds"], encoding])


def _sum(values: Any) -> float | None:
    """Return a sum, None where a summand is unknown."""
    known = list(values)
    return None if any(limit is None for limit in known) else float(sum(known))
