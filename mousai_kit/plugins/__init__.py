"""Plug-ins: entry points -> pluggy -> Registry, with one report for each."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.metadata import EntryPoint

from mousai_kit.hookspecs import GROUP
from mousai_kit.plugins.entries import OWN, Entry, installed_entries, misspelled, switched_off
from mousai_kit.plugins.faults import Fault
from mousai_kit.plugins.loading import Loader
from mousai_kit.plugins.notes import notes_on
from mousai_kit.plugins.report import PluginReport
from mousai_kit.registry import Registry

__all__ = ["Fault", "PluginReport", "discover", "installed"]


def discover(points: Iterable[EntryPoint] | None = None) -> tuple[Registry, list[PluginReport]]:
    """Load every installed plug-in by itself; one that fails is reported, the rest load.

    Given entry points, those are loaded; all that is installed for another version of the
    interface is reported in either case. PluginError where a variable of the environment that
    steers the loading makes no sense.
    """
    registry = Registry()
    there = installed_entries()
    ours = there if points is None else [Entry.of(point) for point in points]
    ordered = sorted((it for it in ours if it.group == GROUP), key=_order)
    reports = [_loaded(entry, ordered[:place], registry) for place, entry in enumerate(ordered)]
    reports += [_other_version(entry, registry) for entry in there if entry.group != GROUP]
    return registry, notes_on(reports, registry)


@cache
def installed() -> Registry:
    """Return the components of all installed plug-ins that load."""
    return discover()[0]


def _order(entry: Entry) -> tuple[bool, str, str]:
    return entry.package != OWN, entry.package, entry.name


def _loaded(entry: Entry, before: list[Entry], registry: Registry) -> PluginReport:
    """Load a plug-in, unless there is a reason not even to try."""
    if entry.fault:
        return _left_out(entry, entry.fault, registry)
    if switched_off(entry):
        told = "is switched off by MOUSAI_KIT_WITHOUT; take it out of there to load it"
        return _left_out(entry, told, registry, off=True)
    if any(other.owner == entry.owner for other in before):
        told = f"the entry point '{entry.name}' stands there twice; give each a name of its own"
        return _left_out(entry, told, registry)
    return Loader(entry, registry).load()


def _other_version(entry: Entry, registry: Registry) -> PluginReport:
    told = f"is written for {entry.group}; this mousai-kit loads {GROUP}: install a version for it"
    if misspelled(entry.group):
        told = f"is offered under '{entry.group}'; did you mean '{GROUP}'?"
    return _left_out(entry, told, registry)


def _left_out(entry: Entry, told: str, registry: Registry, *, off: bool = False) -> PluginReport:
    registry.leave_out(entry.owner)
    faults = (Fault(told, entry.place),)
    return PluginReport(entry.name, entry.package, entry.version, faults=faults, switched_off=off)
