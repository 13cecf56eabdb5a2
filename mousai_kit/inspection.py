"""What `ls`, `show` and `plugins` tell: facts as plain values, and their printing."""

from __future__ import annotations

import inspect
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mousai_kit import estimate
from mousai_kit.cascade import Cascade
from mousai_kit.component import Component
from mousai_kit.errors import MousaiError, RequestError, did_you_mean, listed
from mousai_kit.interfaces import KINDS, Stage
from mousai_kit.option_facts import option_facts
from mousai_kit.plugins import Fault, PluginReport, discover, installed
from mousai_kit.recipe import Recipe, shipped

Facts = dict[str, Any]


def components(kind: str | None) -> list[Facts]:
    """Return the installed components of one kind or all; RequestError for an unknown kind."""
    wanted = kind and kind_called(kind, (*KINDS, "recipe"))
    rows = [
        {"kind": it.kind, "name": it.name, "summary": summary(it), "plugin": owner}
        for it, owner in installed()
    ]
    rows += [
        {"kind": "recipe", "name": name, "summary": _headline(path), "plugin": "mousai-kit"}
        for name, path in shipped().items()
    ]
    return [row for row in rows if wanted in (None, row["kind"])]


def kind_called(word: str, kinds: Collection[str]) -> str:
    """Return the one of `kinds` that a user names, with `-` or `_`; RequestError where none is."""
    if (kind := word.replace("-", "_")) in kinds:
        return kind
    hint = did_you_mean(kind, kinds) or f"; the kinds are {listed(kinds)}"
    raise RequestError(f"there is no kind '{word}'{hint}")


def component(what: str) -> type[Component] | None:
    """Return the component called `name` or `kind/name`, None where a recipe may be meant.

    RequestError where several kinds have one of that name, the kind has none, or a name is near.
    """
    kind, _, name = what.rpartition("/")
    kind = kind.replace("-", "_")
    if kind in KINDS and not Path(what).exists():
        return _of_kind(kind, name)
    found = [it for it, _ in installed() if it.name == what]
    if len(found) > 1:
        choices = listed(f"{it.kind}/{it.name}" for it in found)
        raise RequestError(f"'{name}' is the name of several components; say {choices}")
    if not (found or what.removesuffix(".yaml") in shipped() or Path(what).exists()):
        known = {it.name for it, _ in installed()}
        if hint := did_you_mean(what, sorted(known | shipped().keys())):
            raise RequestError(f"there is no component and no recipe '{what}'{hint}")
    return found[0] if found else None


def _of_kind(kind: str, name: str) -> type[Component]:
    try:
        return installed().find(kind, name)
    except LookupError as error:
        raise RequestError(str(error)) from None


def component_facts(found: type[Component]) -> Facts:
    """Return what a component is and takes."""
    return {
        "kind": found.kind,
        "name": found.name,
        "summary": summary(found),
        "description": inspect.getdoc(found) or "",
        "wiring": list(found.wiring),
        "options": option_facts(found.Options),
    }


def recipe_facts(recipe: Recipe) -> Facts:
    """Return a recipe's stages, sizes and rough memory, without allocating any of it."""
    cascade = Cascade.build(recipe, device="meta")
    stages = [_stage_facts(recipe, cascade, name) for name in cascade.stages]
    return {
        "name": recipe.name,
        "hash": recipe.hash,
        "sample_rate": recipe.audio.sample_rate,
        "channels": recipe.audio.channels,
        "parameters": sum(stage["parameters"] for stage in stages),
        "stages": stages,
    }


def plugins() -> list[Facts]:
    """Return a report for each installed plug-in."""
    return [_plugin_facts(report) for report in discover()[1]]


def _plugin_facts(report: PluginReport) -> Facts:
    return {
        "name": report.name,
        "package": report.package,
        "version": report.version,
        "components": report.components,
        "fault": report.fault,
        "faults": [_fault_facts(report, fault) for fault in report.faults],
        "notes": [_fault_facts(report, note) for note in report.notes],
        "switched_off": report.switched_off,
        "seconds": report.seconds,
    }


def _fault_facts(report: PluginReport, fault: Fault) -> Facts:
    """Return a fault's parts, and the whole of it as a line."""
    place = asdict(fault.place) if fault.place else {"file": None, "line": None}
    return {"message": fault.message, **place, "told": f"{report.owner}: {fault}"}


def summary(found: type[Component]) -> str:
    """Return the first sentence of a component's docstring."""
    return (inspect.getdoc(found) or "").split("\n", 1)[0]


def _stage_facts(recipe: Recipe, cascade: Cascade, name: str) -> Facts:
    stage, train = cascade.stages[name], recipe.stages[name].train
    parts = {part: count for owner, part, _, count in cascade.parts() if owner == name and count}
    own = sum(p.numel() for p in stage.parameters(recurse=False))
    total = sum(parts.values()) + own
    space = stage.space
    seconds = train.length / recipe.audio.sample_rate
    return {
        "name": name,
        "use": stage.name,
        "parameters": total,
        "parts": {**parts, **({"own": own} if own else {})},
        "latent": None
        if space is None
        else {
            "channels": space.channels,
            "samples_per_frame": space.stride,
            "frames_per_second": round(recipe.audio.sample_rate / space.stride, 3),
            "crop": [space.channels, space.frames(train.length)],
        },
        "seconds_per_crop": round(seconds, 3),
        "steps": train.steps,
        "batch": train.batch,
        "training_bytes": _training_bytes(stage, train.length, train.batch),
    }


def _training_bytes(stage: Stage, samples: int, batch: int) -> int | None:
    try:
        signal = estimate.blank(stage, samples=samples, batch=1)
        stage.prepare([signal], ["music"])
        return estimate.training_bytes(stage, samples=samples, batch=batch)
    except (MousaiError, RuntimeError):
        return None


def _headline(path: Path) -> str:
    """Return a recipe's first comment, but for the one that editors read."""
    lines = path.read_text(encoding="utf-8").splitlines()
    first = next(line for line in lines if not line.startswith("# yaml-language-server"))
    return str(first.lstrip("# ").split("   ")[0])
