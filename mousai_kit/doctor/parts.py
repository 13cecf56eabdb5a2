"""Parts: plug-ins and recipes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from mousai_kit.doctor.finding import REINSTALL, Finding, note, ok, wrong

if TYPE_CHECKING:  # which need torch
    from mousai_kit.plugins import PluginReport
    from mousai_kit.registry import Registry

ALONE = "the author mends it; without it: pip uninstall {package}, or MOUSAI_KIT_WITHOUT={name}"

PARTS = "its parts come with mousai-kit's own plug-ins: see above whether one was left out"


@cache
def found() -> tuple[Registry, list[PluginReport]]:
    """Return what is installed, loaded once for all checks: a plug-in may take long, or hang."""
    from mousai_kit.plugins import discover

    return discover()


def plug_ins() -> Iterator[Finding]:
    """Load all plug-ins, and tell what is wrong with any."""
    from mousai_kit.hookspecs import GROUP
    from mousai_kit.plugins.entries import unwanted

    reports = found()[1]
    loaded = [report for report in reports if not report.fault]
    count = sum(len(report.components) for report in loaded)
    names = ", ".join(report.name for report in loaded)
    if loaded:
        yield ok("plug-ins", f"{names}: {count} components for {GROUP}")
    for report in reports:
        mend = ALONE.format(package=report.package, name=report.name)
        for place, fault in enumerate(report.faults, 1):
            if report.switched_off:
                yield note(
                    "plug-ins", f"{report.owner} is switched off", "unset MOUSAI_KIT_WITHOUT"
                )
            else:
                last = place == len(report.faults)  # what to do is the same for all of them
                yield wrong("plug-ins", f"{report.owner}: {fault}", mend if last else "")
        for remark in report.notes:
            yield note("plug-ins", f"{report.owner}: {remark}", "tell its author")
    known = {word for report in reports for word in (report.name, report.package)}
    for word in unwanted():
        if word not in known:
            told = f"MOUSAI_KIT_WITHOUT names '{word}', which is no plug-in here"
            yield note("plug-ins", told, "`mousai-kit plugins` lists the names")


def recipes() -> Iterator[Finding]:
    """Check the shipped recipes with the components that there are."""
    from mousai_kit.errors import MousaiError
    from mousai_kit.recipe import load_recipe, shipped

    registry, valid = found()[0], []
    for name, path in shipped().items():
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
