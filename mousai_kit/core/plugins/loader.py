"""Loading one plug-in: imported, asked for what it offers, entered whole or not at all."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, chdir, nullcontext, redirect_stdout
from dataclasses import dataclass, field
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from time import monotonic
from typing import Any

import pluggy

from mousai_kit.core import hookspecs
from mousai_kit.core.component import Component
from mousai_kit.core.errors import PluginError, did_you_mean, join_quoted, shorten
from mousai_kit.core.hookspecs import COMPONENTS, GROUP, HOOKS, TRAINED
from mousai_kit.core.interfaces import KINDS
from mousai_kit.core.packaged import KIND
from mousai_kit.core.plugins.entry_points import OWN, WITHOUT, PluginEntry
from mousai_kit.core.plugins.messages import PUBLIC, explain_plugin_error
from mousai_kit.core.plugins.reports import (
    PluginFaultError,
    PluginProblem,
    PluginReport,
    SourceLine,
    place_of,
    place_of_error,
)
from mousai_kit.core.registry import Registry

MARK = f"{GROUP}_impl"
"""The attribute with which `mk.hookimpl` marks a function."""
FORMER_HOOKS = tuple(f"mousai_kit_{kind}s" for kind in KINDS)
"""Hooks of before the first release, one for each kind."""


@dataclass(frozen=True, slots=True)
class OfferedComponent:
    """A class that a hook returned, if it is one."""

    component: Any
    hook: Callable[[], Any]

    @property
    def key(self) -> tuple[str, str]:
        """Return the component's kind and name; empty where it has none that can be read."""
        try:
            kind, name = (getattr(self.component, word, "") for word in ("kind", "name"))
            return str(kind), str(name)
        except Exception:
            return "", ""

    @property
    def place(self) -> SourceLine | None:
        """Return where the component begins, or else the hook."""
        ours = isinstance(self.component, type) and issubclass(self.component, Component)
        return (place_of(self.component) if ours else None) or place_of(self.hook)

    def fault(self, message: str) -> PluginProblem:
        """Return what is wrong with the component."""
        called = getattr(self.component, "__qualname__", None) or repr(self.component)
        return PluginProblem(f"{called}: {message}", self.place)


@dataclass(frozen=True, slots=True)
class TrainedOffer:
    """A trained system that a hook returned, if it is one."""

    name: Any
    folder: Any
    hook: Callable[[], Any]

    def fault(self, message: str) -> PluginProblem:
        """Return what is wrong with it."""
        called = shorten(repr(self.name), 100)
        return PluginProblem(f"the trained system {called}: {message}", place_of(self.hook))


@dataclass
class PluginLoader:
    """Loads one plug-in, and knows at which step it is."""

    entry: PluginEntry
    registry: Registry
    trusted: bool = False
    """Whether its components are known to be sound: those of others are looked at."""
    offers: list[OfferedComponent] = field(default_factory=list)
    trained: list[TrainedOffer] = field(default_factory=list)
    module: str = ""
    step: str = ""

    def load(self) -> PluginReport:
        """Load the plug-in into the registry, all of it or nothing."""
        import_module(PUBLIC)  # what every plug-in imports is not counted as its own time
        entry, started = self.entry, monotonic()
        try:
            # what it prints must not get into what a command prints for programs
            with _working_folder(), redirect_stdout(sys.stderr):
                self._collect()
                faults = self._enter()
        except KeyboardInterrupt as error:
            self.registry.remove(entry.owner)
            if entry.package != OWN:
                told = (
                    f"was interrupted while it was loaded; {WITHOUT}={entry.name} does without it"
                )
                place = place_of_error(error, self.module)
                print(f"{entry.owner}: {PluginProblem(told, place)}", file=sys.stderr)
            raise
        except PluginFaultError as error:
            faults = [error.fault]
        except BaseException as error:  # whatever it raises, also what is no Exception
            faults = [self._fault_of(error)]
        offered = [offer.key for offer in self.offers]
        offered += [(KIND, str(system.name)) for system in self.trained]
        if faults:
            self.registry.remove(entry.owner)
            self.registry.mark_unavailable(entry.owner, offered)
        return PluginReport(
            *(entry.name, entry.package, entry.version),
            components=() if faults else tuple(f"{kind}: {name}" for kind, name in offered),
            faults=tuple(faults),
            seconds=round(monotonic() - started, 3),
        )

    def _fault_of(self, error: BaseException) -> PluginProblem:
        """Return what is wrong, also where the exception itself is broken."""
        try:
            place = place_of_error(error, self.module) or self.entry.place
            return PluginProblem(
                explain_plugin_error(error, self.entry, self.module, self.step), place
            )
        except Exception as another:
            kinds = f"{type(error).__name__}, of which telling raises {type(another).__name__}"
            return PluginProblem(f"raises a {kinds}; correct the exception", self.entry.place)

    def _collect(self) -> None:
        """Import the plug-in and ask its hooks."""
        plugin = self._import()
        hooks = dict(_hooks(plugin))
        manager = pluggy.PluginManager(GROUP)
        manager.add_hookspecs(hookspecs)
        manager.register(plugin, name=self.entry.name)
        manager.check_pending()
        for name, hook in hooks.items():
            self.step = f"import {self.module} as it; it.{hook.__name__}()"
            returned = getattr(manager.hook, name)()
            if name == TRAINED:
                self.trained += _trained_offers(hook, returned)
            else:
                self.offers += _offers(hook, returned)
        if not self.offers and TRAINED not in hooks:  # its weights may be fetched apart from it
            raise PluginFaultError(
                f"offers no component; it needs one of the hooks {join_quoted(HOOKS)}",
                next(map(place_of, hooks.values()), None) or self.entry.place,
            )

    def _import(self) -> object:
        """Return the object that the entry point names."""
        point = self.entry.point
        match = point.pattern.match(point.value)
        if match is None:
            raise PluginFaultError(
                "its entry point must be a module, or module:object; correct it in "
                f"pyproject.toml and install the package anew (got '{point.value}')",
                self.entry.place,
            )
        self.module, path = match["module"], match["attr"]
        self.step = f"import {self.module}"
        module = import_module(self.module)
        try:
            return attrgetter(path)(module) if path else module
        except AttributeError:
            raise PluginFaultError(
                f"its entry point names '{path}', which the module '{self.module}' does not have; "
                "correct it in pyproject.toml and install the package anew",
                self.entry.place,
            ) from None

    def _enter(self) -> list[PluginProblem]:
        """Enter all that is offered; return what is wrong with any of it."""
        faults, owner = [], self.entry.owner
        for system in self.trained:
            try:
                self.registry.add_trained(system.name, system.folder, owner=owner)
            except PluginError as error:
                faults += [system.fault(problem.message) for problem in error.problems]
        for offer in self.offers:
            try:
                self.registry.add(offer.component, owner=owner, trusted=self.trusted)
            except PluginError as error:
                faults += [offer.fault(problem.message) for problem in error.problems]
        return faults


def _working_folder() -> AbstractContextManager[None]:
    """Return what comes back to the working folder in the end, unless somebody has deleted it."""
    try:
        return chdir(Path.cwd())
    except OSError:
        return nullcontext()


def _hooks(plugin: object) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield a plug-in's hooks by the name of what they implement, each of them sound."""
    for name in dir(plugin):
        hook = getattr(plugin, name)
        if not inspect.isroutine(hook):
            continue
        mark = getattr(hook, MARK, None)
        if mark is None and name not in (*HOOKS, *FORMER_HOOKS):
            continue
        meant = (mark and mark["specname"]) or name
        if fault := _hook_fault(meant, hook, is_marked=mark is not None):
            raise PluginFaultError(fault, place_of(hook))
        yield meant, hook


def _hook_fault(name: str, hook: Callable[..., Any], *, is_marked: bool) -> str:
    """Return why a function is no hook; empty where it is one."""
    if name in FORMER_HOOKS:
        return (
            f"offers the hook '{name}', which there is no longer; write `def {COMPONENTS}():`, and "
            "return the classes of all kinds in one list"
        )
    if name not in HOOKS:
        hint = did_you_mean(name, HOOKS) or f"; the hooks are {join_quoted(HOOKS)}"
        return f"offers an unknown hook '{name}'{hint}"
    if not is_marked:
        return f"{name} is not marked as a hook; write @mk.hookimpl above it"
    signature = inspect.signature(hook)
    if any(item.default is item.empty for item in signature.parameters.values()):
        return f"{name} must take no arguments (got {signature})"
    return ""


def _offers(hook: Callable[[], Any], returned: list[Any]) -> Iterator[OfferedComponent]:
    """Yield the components that a hook returned, of which pluggy makes a list without None."""
    told = f"{COMPONENTS} must return a list of classes"
    for components in returned or [None]:
        if not isinstance(components, Iterable) or isinstance(components, str | bytes | Mapping):
            raise PluginFaultError(f"{told} (got {shorten(repr(components), 100)})", place_of(hook))
        yield from (OfferedComponent(component, hook) for component in components)


def _trained_offers(hook: Callable[[], Any], returned: list[Any]) -> Iterator[TrainedOffer]:
    """Yield the trained systems that a hook returned; none is no fault."""
    told = f"{TRAINED} must return a mapping of names to folders"
    for systems in returned or [None]:
        if not isinstance(systems, Mapping):
            raise PluginFaultError(f"{told} (got {shorten(repr(systems), 100)})", place_of(hook))
        yield from (TrainedOffer(name, folder, hook) for name, folder in systems.items())
