"""Parts: plug-ins, recipes and trained systems."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from mousai_kit.cli.doctor.finding import REINSTALL, Finding, note, ok, wrong

if TYPE_CHECKING:  # which need torch
    from mousai_kit.core.plugins import PluginReport
    from mousai_kit.core.registry import Registry

ALONE = "the author mends it; without it: pip uninstall {package}, or MOUSAI_KIT_WITHOUT={name}"

PARTS = "its parts come with mousai-kit's own plug-ins: see above whether one was left out"


@cache
def installed_once() -> tuple[Registry, list[PluginReport]]:
    """Return what is installed, loaded once for all checks: a plug-in may take long, or hang."""
    from mousai_kit.core.plugins import discover

    return discover()


def plug_ins() -> Iterator[Finding]:
    """Load all plug-ins, and tell what is wrong with any."""
    from mousai_kit.core.hookspecs import GROUP
    from mousai_kit.core.plugins.entry_points import excluded_names

    reports = installed_once()[1]
    loaded = [report for report in reports if not report.fault]
    count = sum(len(report.components) for report in loaded)
    names = ", ".join(report.name for report in loaded)
    if loaded:
        yield ok("plug-ins", f"{names}: {count} components for {GROUP}")
    for report in reports:
        mend = ALONE.format(package=report.package, name=report.name)
        for place, fault in enumerate(report.faults, 1):
            if report.switched_off:
                told = f"{report.owner} is switched off"
                yield note("plug-ins", told, "unset MOUSAI_KIT_WITHOUT")
            else:
                last = place == len(report.faults)  # what to do is the same for all of them
                yield wrong("plug-ins", f"{report.owner}: {fault}", mend if last else "")
        for remark in report.notes:
            yield note("plug-ins", f"{report.owner}: {remark}", "tell its author")
    known = {word for report in reports for word in (report.name, report.package)}
    for word in excluded_names():
        if word not in known:
            told = f"MOUSAI_KIT_WITHOUT names '{word}', which is no plug-in here"
            yield note("plug-ins", told, "`mousai-kit plugins` lists the names")


def recipes() -> Iterator[Finding]:
    """Check the shipped recipes with the components that there are."""
    from mousai_kit.core.errors import MousaiError
    from mousai_kit.recipe import load_recipe, shipped_recipes

    registry, valid = installed_once()[0], []
    for name, path in shipped_recipes().items():
        try:
            load_recipe(path, registry=registry)
        except MousaiError as error:
            yield wrong("recipes", str(error.problems[0]), f"{PARTS}; else {REINSTALL}")
        else:
            valid.append(name)
    if valid:
        yield ok("recipes", f"{', '.join(valid)}: found and valid")
    else:
        yield wrong("recipes", "none is found, though some come with mousai-kit", REINSTALL)


def check_trained_systems() -> Iterator[Finding]:
    """Read the recipes and the weights' headers of the trained systems that packages bring."""
    from mousai_kit.core.errors import MousaiError
    from mousai_kit.recipe import load_recipe, shipped_recipes
    from mousai_kit.runs.run_folder import RunFolder

    registry, whole = installed_once()[0], []
    for name, system in registry.pretrained_systems.items():
        folder = RunFolder(system.folder)
        try:
            recipe = load_recipe(folder.recipe, registry=registry, run=folder.path)
            folder.check_trained(recipe)
            for stage in recipe.stages:
                folder.check(recipe, stage)
        except MousaiError as error:
            mend = f"pip install --force-reinstall {system.owner.split()[0]}"
            yield wrong("trained", f"{name} of {system.owner}: {error.problems[0]}", mend)
        else:
            whole.append(name)
        if name in shipped_recipes():
            told = f"{name} of {system.owner} is a shipped recipe's name too, which comes first"
            yield note("trained", told, "tell its author")
    if whole:
        yield ok("trained", f"{', '.join(whole)}: found and whole")
    if not registry.pretrained_systems:
        yield note("trained", "no package brings a trained system", "`mousai-kit run` trains one")
