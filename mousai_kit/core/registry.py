"""Registry of component classes by kind and name, and of trained systems by name."""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from inspect import Parameter, Signature
from pathlib import Path

from mousai_kit.core.component import NAME, Component, Options, interfaces_of
from mousai_kit.core.errors import (
    PluginError,
    Problem,
    RequestError,
    did_you_mean,
    join_quoted,
    suggest,
)
from mousai_kit.core.interfaces import KINDS
from mousai_kit.core.option_checks import check_options
from mousai_kit.core.packaged import KIND, Packaged, system_faults
from mousai_kit.core.validation import check_class_attributes

KIND_NAME = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")
RESERVED = ("recipe", KIND)
"""What `ls` and `show` call what is no component."""


class Registry:
    """The components that are installed. A value: made by `plugins.discover`, then only read."""

    def __init__(self) -> None:
        self._components: dict[tuple[str, str], tuple[type[Component], str]] = {}
        self._left_out: dict[str, frozenset[tuple[str, str]]] = {}
        self._trained: dict[str, Packaged] = {}

    def add(self, component: object, *, owner: str, trusted: bool = False) -> None:
        """Enter a component of a plug-in; PluginError names every rule that it breaks.

        A `trusted` one is known to break none, which takes long to find out.
        """
        if not trusted and (faults := list(_violations(component, self.kinds))):
            raise PluginError(*(Problem(owner, _place(component), fault) for fault in faults))
        assert isinstance(component, type)
        assert issubclass(component, Component)
        key = (component.kind, component.name)
        if key in self._components:
            taken = f"the {component.kind} '{component.name}' is already taken by"
            told = f"{taken} {self._components[key][1]}; choose another name"
            raise PluginError(Problem(owner, _place(component), told))
        self._components[key] = (component, owner)

    def add_trained(self, name: object, folder: object, *, owner: str) -> None:
        """Enter a trained system of a plug-in; PluginError names every rule that it breaks."""
        if faults := list(system_faults(name, folder)):
            raise PluginError(*(Problem(owner, str(name), fault) for fault in faults))
        assert isinstance(name, str)
        assert isinstance(folder, Path)
        if other := self._trained.get(name):
            told = f"the name is already taken by a system of {other.owner}; choose another name"
            raise PluginError(Problem(owner, name, told))
        self._trained[name] = Packaged(name, folder, owner)

    @property
    def kinds(self) -> dict[str, type[Component]]:
        """Return the interface of each kind: mousai-kit's own, then those that plug-ins bring."""
        return KINDS | {
            kind: interfaces_of(found)[0] for (kind, _), (found, _) in self._components.items()
        }

    @property
    def pretrained_systems(self) -> dict[str, Packaged]:
        """Return the trained systems by name, sorted."""
        return dict(sorted(self._trained.items()))

    def replacing(self, component: type[Component], *, owner: str) -> Registry:
        """Return the same components and one more, in place of another that has its name."""
        registry = Registry()
        key = (component.kind, getattr(component, "name", ""))
        registry._components = {
            item: entry for item, entry in self._components.items() if item != key
        }
        registry._trained = dict(self._trained)
        registry.add(component, owner=owner)
        return registry

    def remove(self, owner: str) -> None:
        """Forget all that a plug-in offers."""
        self._components = {
            key: entry for key, entry in self._components.items() if entry[1] != owner
        }
        self._trained = {
            name: system for name, system in self._trained.items() if system.owner != owner
        }

    def mark_unavailable(self, owner: str, offered: Iterable[tuple[str, str]] = ()) -> None:
        """Keep in mind that a plug-in is not here, and what (kind, name) it is known to offer."""
        self._left_out[owner] = frozenset(offered)

    @property
    def unavailable(self) -> list[str]:
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

    def trained_left_out(self, name: str) -> str:
        """Return whose trained system a name is that was left out, as a hint; empty if nobody's."""
        return self._offered_by(KIND, name)

    def _hint(self, kind: str, name: str) -> str:
        """Return what may help somebody who looks for what is not here."""
        if hint := self._offered_by(kind, name):
            return hint
        if others := [other for other, its_name in self._components if its_name == name]:
            hint = f"; '{name}' is a {others[0]}"
        elif names := self.names(kind):
            hint = suggest(name, names)
        else:
            hint = f"; no plug-in that offers a {kind} is installed"
        count = len(self._left_out)
        were = "plug-in was" if count == 1 else "plug-ins were"
        return f"{hint}; {count} {were} left out: see `mousai-kit plugins`" if count else hint

    def _offered_by(self, kind: str, name: str) -> str:
        for owner, offered in self._left_out.items():
            if (kind, name) in offered:
                return f"; {owner}, which offers it, was left out: see `mousai-kit plugins`"
        return ""

    def names(self, kind: str) -> list[str]:
        """Return the names of a kind's components, sorted."""
        return sorted(name for its_kind, name in self._components if its_kind == kind)

    def __iter__(self) -> Iterator[tuple[type[Component], str]]:
        """Yield (component, owner) in the order of kinds, then of names."""
        for kind in self.kinds:
            for name in self.names(kind):
                yield self._components[kind, name]


def kind_called(word: str, kinds: Collection[str]) -> str:
    """Return the one of `kinds` that a user names, with `-` or `_`; RequestError where none is."""
    if (kind := word.replace("-", "_")) in kinds:
        return kind
    hint = did_you_mean(kind, kinds) or f"; the kinds are {join_quoted(kinds)}"
    raise RequestError(f"there is no kind '{word}'{hint}")


def interface_name(base: type[Component]) -> str:
    """Return how code names a kind's interface: `mk.Sampler`, or a plug-in's with its module."""
    return f"mk.{base.__name__}" if base in KINDS.values() else _place(base)


def _violations(component: object, kinds: Mapping[str, type[Component]]) -> Iterator[str]:
    """Yield what keeps a component from being one of its kind."""
    if fault := _kind_fault(component, kinds):
        yield fault
        return
    assert isinstance(component, type)
    assert issubclass(component, Component)
    (base,) = interfaces_of(component)
    if missing := sorted(getattr(component, "__abstractmethods__", ())):
        define = "define it" if len(missing) == 1 else "define them"
        yield f"lacks {join_quoted(missing)}, which every {base.kind} has; {define}"
    name = getattr(component, "name", "")
    if not (isinstance(name, str) and NAME.fullmatch(name)):
        yield f"needs a name of lower-case words joined by '-' (got {name!r})"
    former = component.former_names
    if not (isinstance(former, tuple) and all(isinstance(item, str) for item in former)):
        yield f"has former_names that are no tuple of names, as ('old-name',) is (got {former!r})"
    options = component.Options
    if not (isinstance(options, type) and issubclass(options, Options)):
        yield "has Options that are no subclass of mk.Options; write `class Options(mk.Options)`"
    else:
        yield from check_options(options)
    yield from check_class_attributes(base, component)
    yield from _wiring_faults(component, base)
    yield from _method_faults(component, base)


def _kind_fault(component: object, kinds: Mapping[str, type[Component]]) -> str:
    """Return why something is no component of one kind; empty where it is."""
    if isinstance(component, Component):
        return "is an instance; return the class"
    bases = interfaces_of(component)
    if not bases:
        names = join_quoted(map(interface_name, KINDS.values()))
        return f"is of no kind; derive it from one of {names}"
    if len(bases) > 1:
        told = f"has the kinds of {join_quoted(map(interface_name, bases))}"
        return f"{told}; derive it from one of them alone, and leave `kind` to that"
    (base,) = bases
    if not (isinstance(base.kind, str) and KIND_NAME.fullmatch(base.kind)) or base.kind in RESERVED:
        told = f"needs a kind of lower-case words joined by '_', but for {join_quoted(RESERVED)}"
        return f"{told} (got {base.kind!r})"
    if (other := kinds.get(base.kind, base)) is not base:
        told = f"says that it is a {base.kind} but is no subclass of {interface_name(other)}"
        return f"{told}; derive it from that"
    return ""


def _wiring_faults(component: type[Component], base: type[Component]) -> Iterator[str]:
    """Yield how a constructor differs from `(self, options, *, <build keywords>)`."""
    build_kwargs, optional = base.build_kwargs, base.optional_build_kwargs
    parameters = list(inspect.signature(component.__init__).parameters.values())[1:]
    keywords = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
    required = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty}
    others = [p.kind for p in parameters if p.kind is not p.KEYWORD_ONLY]
    takes_options = others in ([Parameter.POSITIONAL_ONLY], [Parameter.POSITIONAL_OR_KEYWORD])
    for name in sorted(required & set(optional)):
        yield f"needs a default for '{name}', which not all who build it know; write `{name}=None`"
    required -= set(optional)
    for name in sorted(keywords - {*build_kwargs, *optional}):
        if hint := did_you_mean(name, optional):
            yield f"takes '{name}', which no {base.kind} is given{hint}"
    if not (takes_options and required <= set(build_kwargs) <= keywords):
        expected = ", ".join(("self", "options", *(("*", *build_kwargs) if build_kwargs else ())))
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
    by_name = [item.name for item in parameters if item.kind is item.KEYWORD_ONLY]
    by_place = [item.name for item in parameters if item.name not in by_name]
    optional = [item.name for item in parameters if item.default is not item.empty]
    needed = [name for name in by_place if name not in optional]
    yield needed, [name for name in by_name if name not in optional]
    yield by_place, by_name
    yield needed, [name for name in method.parameters if name not in needed]


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
    return str(Signature([parameter.replace(annotation=Parameter.empty) for parameter in own]))


def _place(component: object) -> str:
    if isinstance(component, type):
        return f"{component.__module__}.{component.__qualname__}"
    return repr(component)
