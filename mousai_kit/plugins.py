"""Plug-ins: entry points -> pluggy -> Registry, with one report for each."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pluggy

from mousai_kit import hookspecs
from mousai_kit.errors import MousaiError, did_you_mean, listed
from mousai_kit.hookspecs import GROUP, HOOKS
from mousai_kit.registry import Registry


@dataclass(frozen=True, slots=True)
class PluginReport:
    """What became of one plug-in."""

    name: str
    package: str
    version: str
    components: tuple[str, ...] = ()
    """`kind: name` of each component that it offers."""
    fault: str = ""
    """One line on why it was left out; empty where it loaded."""


def discover(points: Iterable[EntryPoint] | None = None) -> tuple[Registry, list[PluginReport]]:
    """Load every installed plug-in by itself; one that fails is reported, the rest load."""
    registry = Registry()
    found = entry_points(group=GROUP) if points is None else points
    ordered = sorted(set(found), key=lambda point: (_package(point), point.name))
    reports = [_load(point, registry) for point in ordered]
    return registry, reports + [_other_version(point) for point in _other_groups()]


@cache
def installed() -> Registry:
    """Return the components of all installed plug-ins that load."""
    return discover()[0]


def _load(point: EntryPoint, registry: Registry) -> PluginReport:
    """Load one plug-in into the registry, all of it or nothing."""
    owner = f"{_package(point)} {_version(point)} ({point.name})"
    try:
        components = _offered(point)
        for kind, component in components:
            registry.add(kind, component, owner=owner)
    except MousaiError as error:
        registry.remove(owner)
        fault = "; ".join(str(replace(problem, origin="")) for problem in error.problems)
        return PluginReport(point.name, _package(point), _version(point), fault=fault)
    except (Exception, SystemExit) as error:
        registry.remove(owner)
        return PluginReport(point.name, _package(point), _version(point), fault=_told(error))
    names = tuple(f"{kind}: {getattr(component, 'name', '')}" for kind, component in components)
    return PluginReport(point.name, _package(point), _version(point), names)


def _offered(point: EntryPoint) -> list[tuple[str, object]]:
    """Import a plug-in and return its (kind, component) pairs."""
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    plugin = point.load()
    manager.register(plugin, name=point.name)
    for name in dir(plugin):
        if hasattr(getattr(plugin, name), f"{GROUP}_impl") and name not in HOOKS.values():
            raise MousaiError(
                f"offers an unknown hook '{name}'{did_you_mean(name, HOOKS.values())}"
            )
    manager.check_pending()
    offered: list[tuple[str, object]] = []
    for kind, hook in HOOKS.items():
        for components in getattr(manager.hook, hook)():
            if not isinstance(components, Iterable):
                raise MousaiError(f"{hook} must return a list of classes (got {components!r})")
            offered += [(kind, component) for component in components]
    if not offered:
        raise MousaiError(
            f"offers no component; it needs one of the hooks {listed(HOOKS.values())}"
        )
    return offered


def _told(error: BaseException) -> str:
    """Return an exception as one line with the innermost place where it arose."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}{place}" if text else f"{type(error).__name__}{place}"


def _other_groups() -> list[EntryPoint]:
    """Return entry points of other versions of the API."""
    family, installed = GROUP.rsplit(".", 1)[0], entry_points()
    groups = sorted(g for g in installed.groups if g.startswith(f"{family}.") and g != GROUP)
    return [point for group in groups for point in installed.select(group=group)]


def _other_version(point: EntryPoint) -> PluginReport:
    fault = f"is written for {point.group}; this mousai-kit loads {GROUP}: install a version for it"
    return PluginReport(point.name, _package(point), _version(point), fault=fault)


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else "unknown package"


def _version(point: EntryPoint) -> str:
    return point.dist.version if point.dist else "0"
