"""What `ls`, `show` and `plugins` tell of components, recipes and systems, as plain values."""

from __future__ import annotations

import inspect
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mousai_kit.core.component import Component
from mousai_kit.core.errors import MousaiError, RequestError, did_you_mean, join_quoted
from mousai_kit.core.interfaces import Stage
from mousai_kit.core.option_docs import describe_options
from mousai_kit.core.packaged import KIND, Packaged
from mousai_kit.core.plugins import PluginProblem, PluginReport, discover, installed_registry
from mousai_kit.core.registry import kind_called
from mousai_kit.models import memory
from mousai_kit.models.cascade import Cascade
from mousai_kit.recipe import Recipe, shipped_recipes
from mousai_kit.runs.model_card import card_in, headline, text_of
from mousai_kit.runs.run_folder import RunFolder
from mousai_kit.runs.vocabulary import saved_words

Facts = dict[str, Any]


def list_components(kind: str | None) -> list[Facts]:
    """Return what is installed of one kind or all; RequestError for an unknown kind.

    Beside the kinds of components there are `recipe` (shipped) and `trained` (of packages).
    """
    registry, recipes = installed_registry(), shipped_recipes()
    systems = registry.pretrained_systems
    wanted = kind and kind_called(kind, (*registry.kinds, "recipe", KIND))
    rows = [
        *((found.kind, found.name, describe_summary(found), owner) for found, owner in registry),
        *(("recipe", name, _headline(path), "mousai-kit") for name, path in recipes.items()),
        *((KIND, system.name, _headline_of(system), system.owner) for system in systems.values()),
    ]
    keys = ("kind", "name", "summary", "plugin")
    return [dict(zip(keys, row, strict=True)) for row in rows if wanted in (None, row[0])]


def find_component(what: str) -> type[Component] | None:
    """Return the component called `name` or `kind/name`, None where something else may be meant.

    RequestError where several kinds have one of that name, the kind has none, or a name is near.
    """
    trained = installed_registry().pretrained_systems
    kind, _, name = what.rpartition("/")
    kind = kind.replace("-", "_")
    if kind in installed_registry().kinds and not Path(what).exists():
        return _of_kind(kind, name)
    found = [component for component, _ in installed_registry() if component.name == what]
    kinds = [*(component.kind for component in found), *([KIND] if what in trained else [])]
    if len(kinds) > 1:
        choices = join_quoted(f"{item}/{name}" for item in kinds)
        raise RequestError(f"'{name}' is the name of several components; say {choices}")
    if not (kinds or what.removesuffix(".yaml") in shipped_recipes() or Path(what).exists()):
        known = {component.name for component, _ in installed_registry()} | trained.keys()
        if hint := did_you_mean(what, sorted(known | shipped_recipes().keys())):
            raise RequestError(f"there is no component and no recipe '{what}'{hint}")
    return found[0] if found else None


def _of_kind(kind: str, name: str) -> type[Component]:
    try:
        return installed_registry().find(kind, name)
    except LookupError as error:
        raise RequestError(str(error)) from None


def component_facts(found: type[Component]) -> Facts:
    """Return what a component is and takes."""
    return {
        "kind": found.kind,
        "name": found.name,
        "summary": describe_summary(found),
        "description": inspect.getdoc(found) or "",
        "build_kwargs": list(found.build_kwargs),
        "options": describe_options(found.Options),
    }


def describe_recipe(recipe: Recipe) -> Facts:
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


def system_facts(recipe: Recipe, folder: RunFolder) -> Facts:
    """Return what a recipe's facts tell of a trained system, its card, and the words it knows.

    With them the settings that changed while a stage was trained.
    """
    card = card_in(folder.recipe.parent)
    return {
        **describe_recipe(recipe),
        "card": None if card is None else text_of(card),
        "trained": folder.trained_stages(recipe),
        "changes": {name: folder.stage(name).changes for name in recipe.stages},
        "words": saved_words(recipe, folder),
    }


def plugin_facts() -> list[Facts]:
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


def _fault_facts(report: PluginReport, fault: PluginProblem) -> Facts:
    """Return a fault's parts, and the whole of it as a line."""
    place = asdict(fault.place) if fault.place else {"file": None, "line": None}
    return {"message": fault.message, **place, "told": f"{report.owner}: {fault}"}


def describe_summary(found: type[Component]) -> str:
    """Return the first sentence of a component's docstring."""
    return (inspect.getdoc(found) or "").split("\n", 1)[0]


def _stage_facts(recipe: Recipe, cascade: Cascade, name: str) -> Facts:
    stage, train = cascade.stages[name], recipe.stages[name].train
    parts = {
        part: count for owner, part, _, count in cascade.named_parts() if owner == name and count
    }
    own = sum(p.numel() for p in stage.parameters(recurse=False))
    total = sum(parts.values()) + own
    space = stage.latent_space
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
        signal = memory.meta_input(stage, samples=samples, batch=1)
        stage.fit_statistics([signal], ["music"])
        return memory.training_bytes(stage, samples=samples, batch=batch)
    except (MousaiError, RuntimeError):
        return None


def _headline_of(system: Packaged) -> str:
    """Return the first sentence of a trained system's card."""
    card = card_in(system.folder)
    return "" if card is None else headline(card)


def _headline(path: Path) -> str:
    """Return a recipe's first comment, but for the one that editors read."""
    lines = path.read_text(encoding="utf-8").splitlines()
    first = next(line for line in lines if not line.startswith("# yaml-language-server"))
    return str(first.lstrip("# ").split("   ")[0])
