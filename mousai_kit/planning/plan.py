"""A plan: parameters, memory, time and disk of each stage, and what would make it fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from mousai_kit import devices
from mousai_kit.cascade import Cascade
from mousai_kit.extent import data_facts, disk_facts, latent_facts, run_facts
from mousai_kit.interfaces import Stage
from mousai_kit.memory import SAFE_SHARE
from mousai_kit.planning import meter
from mousai_kit.planning.advice import Advice, advice
from mousai_kit.planning.cost import Cost
from mousai_kit.planning.costing import Costing
from mousai_kit.planning.probing import Measured
from mousai_kit.recipe import Recipe, Train
from mousai_kit.tuning.tuned import Tuned

Facts = dict[str, Any]


def plan(
    recipe: Recipe, *, seconds: float, memory: int | None, report: Callable[[str], None]
) -> Facts:
    """Return what training takes, from steps that are measured for about so many seconds.

    `memory` bytes take the place of what is free here; `report` hears what is being measured.
    Nothing is trained, fetched or written.
    """
    device = devices.resolve(recipe.device)
    outline = Cascade.build(recipe, device="meta")
    for name, stage in outline.stages.items():
        Tuned(recipe, name, stage).begin()
    free = meter.available_bytes(device) if memory is None else memory
    stages = []
    for name in outline.stages:
        share = seconds / len(outline.stages)
        costing = Costing(recipe, name, outline, seconds=share, memory=free, report=report)
        stages.append(_stage_facts(recipe, name, outline, costing))
    return {
        "name": recipe.name,
        "device": str(device),
        "free_bytes": free,
        "usable_bytes": None if free is None else round(SAFE_SHARE * free),
        "stages": stages,
        "seconds": _sum(_whole_seconds(it) for it in stages),
    }


def _stage_facts(recipe: Recipe, name: str, outline: Cascade, costing: Costing) -> Facts:
    stage, train = outline.stages[name], recipe.stages[name].train
    cost = costing.of(train)
    found = costing.measured(train)
    step = _step_facts(train, cost, found)
    run = run_facts(train, step["seconds"])
    data = data_facts(recipe, train, run["steps"])
    room = None if costing.memory is None else SAFE_SHARE * costing.memory
    fits = None if room is None or step["bytes"] is None else step["bytes"] <= room
    offers = advice(train, costing.of, room) if fits is False and room is not None else []
    return {
        "name": name,
        "use": stage.name,
        "parameters": _parameters(stage),
        "state": _state(stage),
        "train": train.model_dump(
            include={"batch", "accumulate", "length", "precision", "recompute", "workers"}
        ),
        "measured": [asdict(it) for it in found.points[1:]],
        "step": step,
        "fits": fits,
        "advice": [_advice_facts(name, it) for it in offers],
        "run": run,
        "data": data,
        "latents": latent_facts(outline, name, train, data["clips"], found.encoding),
        "disk": disk_facts(outline, name, given=recipe.stages[name].weights is not None),
        "notes": [it for it in (found.missing, _unmeasured(found), _uncompiled(train)) if it],
    }


def _unmeasured(found: Measured) -> str:
    """Return what to say where nothing was measured and nothing tells why; else nothing."""
    measured = any(it.batch for it in found.points)
    return "" if measured or found.stopped else "nothing was measured in this time; raise --seconds"


def _uncompiled(train: Train) -> str:
    """Return what to say of a stage that `run` compiles: that would take longer than all steps."""
    return "measured without `compile`; steps differ, once compiled" if train.compile else ""


def _step_facts(train: Train, cost: Cost | None, found: Measured) -> Facts:
    """Return what a step takes, how that is known, and why it was not measured."""
    stopped = found.stopped.reason if found.stopped else ""
    if cost is None:
        return {
            "bytes": None,
            "seconds": None,
            "measured": False,
            "stopped": stopped,
            "longer_than": None,
        }
    return {
        "bytes": cost.bytes(train),
        "seconds": cost.seconds(train),
        "measured": cost.is_measured(train),
        "stopped": stopped,
        "longer_than": found.stopped.longer_than if found.stopped else None,
    }


def _parameters(stage: Stage) -> Facts:
    learned = sum(it.numel() for it in stage.parameters() if it.requires_grad)
    return {"learned": learned, "frozen": sum(it.numel() for it in stage.parameters()) - learned}


def _state(stage: Stage) -> Facts:
    """Return the bytes that training holds of the parameters, whatever the batch."""
    learned = sum(it.nbytes for it in stage.parameters() if it.requires_grad)
    weights = sum(it.nbytes for it in stage.parameters())
    return {"weights": weights, "gradients": learned, "moments": 2 * learned, "average": learned}


def _advice_facts(name: str, offer: Advice) -> Facts:
    texts = {key: str(value).lower() for key, value in offer.changes.items()}
    settings = [f"stages.{name}.train.{key}={text}" for key, text in texts.items()]
    return {
        "set": settings,
        "bytes": offer.bytes,
        "seconds": offer.seconds,
        "measured": offer.measured,
    }


def _whole_seconds(stage: Facts) -> float | None:
    """Return how long a stage takes, what it learns from being encoded first."""
    encoding = stage["latents"]["seconds"] if stage["latents"] else 0.0
    return _sum([stage["run"]["seconds"], encoding])


def _sum(values: Any) -> float | None:
    """Return a sum, None where a summand is unknown."""
    known = list(values)
    return None if any(it is None for it in known) else float(sum(known))
