"""Plug-ins: entry points -> pluggy -> Registry, with one report for each."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import metadata
from importlib.metadata import EntryPoint

from mousai_kit.core.errors import PluginError
from mousai_kit.core.hookspecs import GROUP
from mousai_kit.core.plugins.entry_points import (
    OWN,
    PluginEntry,
    installed_entries,
    is_disabled,
    is_misspelled,
)
from mousai_kit.core.plugins.loader import PluginLoader
from mousai_kit.core.plugins.reports import PluginProblem, PluginReport, add_warnings
from mousai_kit.core.registry import Registry

__all__ = ["PluginProblem", "PluginReport", "discover", "installed_registry"]


def discover(points: Iterable[EntryPoint] | None = None) -> tuple[Registry, list[PluginReport]]:
    """Load every installed plug-in by itself; one that fails is reported, the rest load.

    Given entry points, those are loaded; all that is installed for another version of the
    interface is reported in either case.
    """
    registry, reports = _load_all(points, trust_own=False)
    return registry, add_warnings(reports, registry)


@cache
def installed_registry() -> Registry:
    """Return the components of all installed plug-ins that load.

    Those of mousai-kit's own are taken for sound, as its tests found them.
    """
    return _load_all(None, trust_own=True)[0]


def _load_all(
    points: Iterable[EntryPoint] | None, *, trust_own: bool
) -> tuple[Registry, list[PluginReport]]:
    """Do as `discover` does, without the notes, for which all Options have to be made."""
    registry = Registry()
    there = installed_entries()
    ours = there if points is None else [PluginEntry.of(point) for point in points]
    ordered = sorted(
        (our for our in ours if our.point.group == GROUP),
        key=lambda our: (our.package != OWN, our.package, our.name),
    )
    reports = [
        _load(entry, ordered[:place], registry, trust_own=trust_own)
        for place, entry in enumerate(ordered)
    ]
    reports += [_other_version(entry, registry) for entry in there if entry.point.group != GROUP]
    return registry, reports


def _load(
    entry: PluginEntry, before: list[PluginEntry], registry: Registry, *, trust_own: bool
) -> PluginReport:
    """Load a plug-in, unless there is a reason not even to try."""
    if entry.fault:
        return _left_out(entry, entry.fault, registry)
    if is_disabled(entry):
        told = "is switched off by MOUSAI_KIT_WITHOUT; take it out of there to load it"
        return _left_out(entry, told, registry, off=True)
    if any(other.owner == entry.owner for other in before):
        told = f"the entry point '{entry.name}' stands there twice; give each a name of its own"
        return _left_out(entry, told, registry)
    return PluginLoader(entry, registry, trusted=trust_own and entry.package == OWN).load()


def _other_version(entry: PluginEntry, registry: Registry) -> PluginReport:
    group = entry.point.group
    told = f"is written for {group}; this mousai-kit loads {GROUP}: install a version for it"
    if is_misspelled(group):
        told = f"is offered under '{group}'; did you mean '{GROUP}'?"
    return _left_out(entry, told, registry)


def _left_out(
    entry: PluginEntry, told: str, registry: Registry, *, off: bool = False
) -> PluginReport:
    registry.mark_unavailable(entry.owner)
    faults = (PluginProblem(told, entry.place),)
    return PluginReport(entry.name, entry.package, entry.version, faults=faults, switched_off=off)


def first_party() -> Registry:
    """Return the components of mousai-kit's own plug-ins; PluginError where one is left out."""
    points = metadata.entry_points(group=GROUP)
    own = [point for point in points if point.dist and point.dist.name == OWN]
    registry, reports = discover(own)
    names = {point.name for point in own}
    if faults := [report.fault for report in reports if report.fault and report.name in names]:
        raise PluginError(*faults)
    return registry
