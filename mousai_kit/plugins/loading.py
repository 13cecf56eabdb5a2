"""Loading one plug-in: imported, asked for its classes, entered whole or not at all."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from importlib import import_module
from operator import attrgetter
from time import monotonic
from typing import Any

import pluggy

from mousai_kit import hookspecs
from mousai_kit.component import Component
from mousai_kit.errors import PluginError, did_you_mean, listed
from mousai_kit.hookspecs import GROUP, HOOKS
from mousai_kit.plugins.entries import Entry
from mousai_kit.plugins.faults import Fault, Place, PluginFaultError, place_of, place_of_error
from mousai_kit.plugins.report import PluginReport
from mousai_kit.plugins.surroundings import unchanged
from mousai_kit.plugins.telling import PUBLIC, told
from mousai_kit.plugins.watchdog import patience, watched
from mousai_kit.registry import Registry

MARK = f"{GROUP}_impl"
"""The attribute with which `mk.hookimpl` marks a function."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A class that a hook returned, if it is one."""

    kind: str
    component: Any
    hook: Callable[[], Any]

    @property
    def name(self) -> str:
        """Return the component's name; empty where it has none that can be read."""
        try:
            return str(getattr(self.component, "name", ""))
        except Exception:
            return ""

    @property
    def place(self) -> Place | None:
        """Return where the component begins, or else the hook."""
        ours = isinstance(self.component, type) and issubclass(self.component, Component)
        return (place_of(self.component) if ours else None) or place_of(self.hook)

    def fault(self, message: str) -> Fault:
        """Return what is wrong with the component."""
        called = getattr(self.component, "__qualname__", None) or repr(self.component)
        return Fault(f"{called}: {message}", self.place)


@dataclass
class Loader:
    """Loads one plug-in, and knows at which step it is."""

    entry: Entry
    registry: Registry
    offers: list[Offer] = field(default_factory=list)
    module: str = ""
    step: str = ""

    def load(self) -> PluginReport:
        """Load the plug-in into the registry, all of it or nothing."""
        import_module(PUBLIC)  # what every plug-in imports is not counted as its own time
        entry, started, limit = self.entry, monotonic(), patience()
        try:
            # what it prints must not get into what a command prints for programs
            with unchanged(), watched(entry.owner, limit), redirect_stdout(sys.stderr):
                self._collect()
                faults = self._enter()
        except KeyboardInterrupt:
            self.registry.remove(entry.owner)
            raise
        except PluginFaultError as error:
            faults = [error.fault]
        except BaseException as error:  # whatever it raises, also what is no Exception
            faults = [self._fault_of(error)]
        offered = tuple(f"{offer.kind}: {offer.name}" for offer in self.offers)
        if faults:
            self.registry.remove(entry.owner)
            self.registry.leave_out(entry.owner, ((it.kind, it.name) for it in self.offers))
        return PluginReport(
            *(entry.name, entry.package, entry.version),
            components=() if faults else offered,
            faults=tuple(faults),
            seconds=round(monotonic() - started, 3),
        )

    def _fault_of(self, error: BaseException) -> Fault:
        """Return what is wrong, also where the exception itself is broken."""
        try:
            place = place_of_error(error, self.module) or self.entry.place
            return Fault(told(error, self.entry, self.module, self.step), place)
        except Exception as another:
            kinds = f"{type(error).__name__}, of which telling raises {type(another).__name__}"
            return Fault(f"raises a {kinds}; correct the exception", self.entry.place)

    def _collect(self) -> None:
        """Import the plug-in and ask its hooks."""
        plugin = self._imported()
        hooks = dict(_hooks(plugin))
        manager = pluggy.PluginManager(GROUP)
        manager.add_hookspecs(hookspecs)
        manager.register(plugin, name=self.entry.name)
        manager.check_pending()
        for kind, name in HOOKS.items():
            if name in hooks:
                self.step = f"import {self.module} as it; it.{hooks[name].__name__}()"
                returned = getattr(manager.hook, name)()
                self.offers += _offers(kind, hooks[name], returned)
        if not self.offers:
            raise PluginFaultError(
                f"offers no component; it needs one of the hooks {listed(HOOKS.values())}",
                next(map(place_of, hooks.values()), None) or self.entry.place,
            )

    def _imported(self) -> object:
        """Return the object that the entry point names."""
        match = (
            None if self.entry.point is None else self.entry.point.pattern.match(self.entry.value)
        )
        if match is None:
            raise PluginFaultError(
                "its entry point must be a module, or module:object; correct it in "
                f"pyproject.toml and install the package anew (got '{self.entry.value}')",
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

    def _enter(self) -> list[Fault]:
        """Enter all that is offered; return what is wrong with any of it."""
        faults = []
        for offer in self.offers:
            try:
                self.registry.add(offer.kind, offer.component, owner=self.entry.owner)
            except PluginError as error:
                faults += [offer.fault(problem.message) for problem in error.problems]
        return faults


def _hooks(plugin: object) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield a plug-in's hooks by the name of what they implement, each of them sound."""
    for name in dir(plugin):
        hook = getattr(plugin, name)
        if not inspect.isroutine(hook):
            continue
        mark = getattr(hook, MARK, None)
        if mark is None and name in HOOKS.values():
            raise PluginFaultError(
                f"{name} is not marked as a hook; write @mk.hookimpl above it", place_of(hook)
            )
        if mark is not None:
            meant = mark["specname"] or name
            _check_hook(meant, hook)
            yield meant, hook


def _check_hook(name: str, hook: Callable[..., Any]) -> None:
    if name not in HOOKS.values():
        hint = did_you_mean(name, HOOKS.values()) or f"; the hooks are {listed(HOOKS.values())}"
        raise PluginFaultError(f"offers an unknown hook '{name}'{hint}", place_of(hook))
    required = [it for it in inspect.signature(hook).parameters.values() if it.default is it.empty]
    if required:
        raise PluginFaultError(
            f"{name} must take no arguments (got {inspect.signature(hook)})", place_of(hook)
        )


def _offers(kind: str, hook: Callable[[], Any], returned: list[Any]) -> Iterator[Offer]:
    """Yield what a hook returned, which pluggy puts into a list, without None."""
    name = HOOKS[kind]
    if not returned:
        raise PluginFaultError(f"{name} must return a list of classes (got None)", place_of(hook))
    for components in returned:
        if not isinstance(components, Iterable) or isinstance(components, str | bytes | Mapping):
            raise PluginFaultError(
                f"{name} must return a list of classes (got {_repr(components)})", place_of(hook)
            )
        yield from (Offer(kind, component, hook) for component in components)


def _repr(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:97]}..."
