"""Notes: what the author of a plug-in should know of it, although it loads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mousai_kit.component import Component
from mousai_kit.option_faults import slot_faults
from mousai_kit.plugins.faults import Fault, place_of
from mousai_kit.plugins.report import PluginReport
from mousai_kit.registry import Registry

SLOW = 5.0
"""Seconds from which on loading a plug-in counts as slow."""


def notes_on(reports: list[PluginReport], registry: Registry) -> list[PluginReport]:
    """Return the reports with notes, some of which need to know all that is installed."""
    return [replace(report, notes=tuple(_notes(report, registry))) for report in reports]


def _notes(report: PluginReport, registry: Registry) -> Iterator[Fault]:
    if report.faults:
        return
    if report.seconds >= SLOW:
        yield Fault(
            f"takes {report.seconds:.1f} s to load, at every command; import what is heavy in the "
            "methods that use it"
        )
    for component, owner in registry:
        if owner == report.owner:
            for message in _component_notes(component, registry):
                yield Fault(f"{component.__qualname__}: {message}", place_of(component))


def _component_notes(component: type[Component], registry: Registry) -> Iterator[str]:
    if not vars(component).get("__doc__"):
        yield "has no docstring; its first line is what `mousai-kit ls` prints"
    yield from slot_faults(component.Options, registry)
