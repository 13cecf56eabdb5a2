"""Registry: (kind, name) -> component class; faults are found when a class is entered."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Sequence
from inspect import Parameter, Signature

from mousai_kit.component import Component, Options
from mousai_kit.declared import class_faults
from mousai_kit.errors import PluginError, Problem, did_you_mean, listed
from mousai_kit.hookspecs import HOOKS
from mousai_kit.interfaces import KINDS
from mousai_kit.option_faults import option_faults

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class Registry:
    """The components that are installed. A value: made by `plugins.discover`, then only read."""

    def __init__(self) -> None:
        self._components: dict[tuple[str, str], tuple[type[Component], str]] = {}
        self._left_out: dict[str, frozenset[tuple[str, str]]] = {}

    def add(self, kind: str, component: object, *, owner: str) -> None:
        """Enter a component of a plug-in; PluginError names every rule that it breaks."""
        if faults := list(_faults(kind, component)):
            raise PluginError(*(Problem(owner, _place(component), fault) for fault in faults))
        assert isinstance(component, type)
        assert issubclass(component, Component)
        key = (kind, component.name)
        if key in self._components:
            other = self._components[key][1]
            raise PluginError(
                Problem(
                    owner,
                    _place(component),
                    f"the {kind} '{component.name}' is already taken by {other}; "
                    "choose another name",
                )
            )
        self._components[key] = (component, owner)

    def replacing(self, component: type[Component], *, owner: str) -> Registry:
        """Return the same components and one more, in place of another that has its name."""
        registry = Registry()
        key = (component.kind, getattr(component, "name", ""))
        registry._components = {it: entry for it, entry in self._components.items() if it != key}
        registry.add(component.kind, component, owner=owner)
        return registry

    def remove(self, owner: str) -> None:
        """Forget all components of a plug-in."""
        self._components = {
            key: entry for key, entry in self._components.items() if entry[1] != owner
        }

    def leave_out(self, owner: str, offered: Iterable[tuple[str, str]] = ()) -> None:
        """Keep in mind that a plug-in is not here, and what (kind, name) it is known to offer."""
        self._left_out[owner] = frozenset(offered)

    @property
    def left_out(self) -> list[str]:
        """Return the plug-ins that are installed but not here, as owners."""
        return list(self._left_out)

    def find(self, kind: str, name: str) -> type[Component]:
        """Return a component class; LookupError with one line that helps."""
        if (kind, name) in self._components:
            return self._components[kind, name][0]
        for component, _ in self:
            if component.kind == kind and name in component.former_names:
                return component
        raise LookupError(f"no {kind} is called '{name}'{self._hint(kind, name)}")

    def _hint(self, kind: str, name: str) -> str:
        """Return what may help somebody who looks for what is not here."""
        for owner, offered in self._left_out.items():
            if (kind, name) in offered:
                return f"; {owner}, which offers it, was left out: see `mousai-kit plugins`"
        return self._nearest(kind, name) + self._missing()

    def _nearest(self, kind: str, name: str) -> str:
        others = [other for other, its_name in self._components if its_name == name]
        if others:
            return f"; '{name}' is a {others[0]}"
        names = self.names(kind)
        return did_you_mean(name, names) or (
            f"; there {'is' if len(names) == 1 else 'are'} {listed(names)}"
            if names
            else f"; no plug-in that offers a {kind} is installed"
        )

    def _missing(self) -> str:
        match len(self._left_out):
            case 0:
                return ""
            case 1:
                return "; 1 plug-in was left out: see `mousai-kit plugins`"
            case count:
                return f"; {count} plug-ins were left out: see `mousai-kit plugins`"

    def names(self, kind: str) -> list[str]:
        """Return the names of a kind's components, sorted."""
        return sorted(name for its_kind, name in self._components if its_kind == kind)

    def __iter__(self) -> Iterator[tuple[type[Component], str]]:
        """Yield (component, owner) in the order of kinds, then of names."""
        for kind in KINDS:
            for name in self.names(kind):
                yield self._components[kind, name]


def _faults(kind: str, component: object) -> Iterator[str]:
    """Yield what keeps a component from being one of its kind."""
    base = KINDS[kind]
    if not (isinstance(component, type) and issubclass(component, base)):
        told = f"is offered as a {kind} but is no subclass of mk.{base.__name__}"
        yield f"{told}; {_instead(kind, component)}"
        return
    if missing := sorted(getattr(component, "__abstractmethods__", ())):
        define = "define it" if len(missing) == 1 else "define them"
        yield f"lacks {listed(missing)}, which every {kind} has; {define}"
    name = getattr(component, "name", "")
    if not (isinstance(name, str) and NAME.fullmatch(name)):
        yield f"needs a name of lower-case words joined by '-' (got {name!r})"
    former = component.former_names
    if not (isinstance(former, tuple) and all(isinstance(it, str) for it in former)):
        yield f"has former_names that are no tuple of names, as ('old-name',) is (got {former!r})"
    options = component.Options
    if not (isinstance(options, type) and issubclass(options, Options)):
        yield "has Options that are no subclass of mk.Options; write `class Options(mk.Options)`"
    else:
        yield from option_faults(options)
    yield from class_faults(base, component)
    yield from _wiring_faults(component, base.wiring)
    yield from _method_faults(component, base)


def _instead(kind: str, component: object) -> str:
    """Return what to do about something that is of no use as this kind."""
    if isinstance(component, KINDS[kind]):
        return "return the class, not an instance"
    other = getattr(component, "kind", None)
    if isinstance(component, type) and issubclass(component, Component) and other in HOOKS:
        return f"offer it with {HOOKS[other]}"
    return f"derive it from mk.{KINDS[kind].__name__}"


def _wiring_faults(component: type[Component], wiring: tuple[str, ...]) -> Iterator[str]:
    """Yield how a constructor differs from `(self, options, *, <wiring>)`."""
    parameters = list(inspect.signature(component.__init__).parameters.values())[1:]
    keywords = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
    required = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty}
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    loose = any(p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in parameters)
    if loose or len(positional) != 1 or not set(wiring) <= keywords or not required <= set(wiring):
        expected = ", ".join(("self", "options", *(("*", *wiring) if wiring else ())))
        yield f"must be built with ({expected}) (got {inspect.signature(component.__init__)})"


def _method_faults(component: type[Component], base: type[Component]) -> Iterator[str]:
    """Yield which methods could not be called as the kind's are."""
    for name, method in vars(base).items():
        own = inspect.getattr_static(component, name)
        if name.startswith("_") or not (inspect.isfunction(method) and inspect.isfunction(own)):
            continue
        expected, found = inspect.signature(method), inspect.signature(own)
        if not all(_accepts(found, *call) for call in _calls(expected)):
            yield f"must define {name}{_bare(expected)} (got {name}{_bare(found)})"


def _calls(method: Signature) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    """Yield ways to call a method: the arguments by place, and those by name.

    What has no default is given by place; the rest by place, by name or not at all.
    """
    parameters = list(method.parameters.values())
    by_place = [it for it in parameters if it.kind is not Parameter.KEYWORD_ONLY]
    by_name = [it for it in parameters if it.kind is Parameter.KEYWORD_ONLY]
    needed, needed_names = ([p for p in ps if p.default is p.empty] for ps in (by_place, by_name))
    optional = [it for it in by_place if it not in needed]
    for places, names in (
        (needed, needed_names),
        (by_place, by_name),
        (needed, optional + by_name),
    ):
        yield [it.name for it in places], [it.name for it in names]


def _accepts(method: Signature, places: Sequence[str], names: Sequence[str]) -> bool:
    """Whether a method takes arguments by place and by name, none of them for another."""
    try:
        taken = method.bind(*places, **{name: name for name in names}).arguments
    except TypeError:
        return False
    return all(taken.get(name, name) == name for name in (*places, *names))


def _bare(method: Signature) -> str:
    """Return a signature without `self` and annotations."""
    own = list(method.parameters.values())[1:]
    return str(Signature([it.replace(annotation=Parameter.empty) for it in own]))


def _place(component: object) -> str:
    if isinstance(component, type):
        return f"{component.__module__}.{component.__qualname__}"
    return repr(component)
