"""The packages that a recipe's components come from, and those that would bring what is not here.

A requirement is a package's name, with versions if need be, as pip has it: mousai-kit-acme>=0.2.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from mousai_kit.core.component import Component
from mousai_kit.core.errors import RecipeError, format_value
from mousai_kit.core.packaged import RECIPE
from mousai_kit.core.registry import Registry
from mousai_kit.core.validation import option_error
from mousai_kit.recipe.nodes import KeyPath, Location, Node, ProblemCollector
from mousai_kit.recipe.yaml import read_file

KEY = "requires"
RULE = "must be a package's name, with versions if need be, such as 'mousai-kit-acme>=0.2'"

_OWN = "mousai-kit"
_OWNER = re.compile(r"(\S+) (\S+) \(.*\)")
"""A plug-in in the registry's words: package, version, (entry point)."""


def is_requirement(text: str) -> bool:
    """Return whether a text names a package, with versions or without, and nothing else."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        wanted = Requirement(text)
    except InvalidRequirement:
        return False
    return not (wanted.extras or wanted.marker or wanted.url)


def check_requirement(text: str) -> str:
    """Return a requirement; a pydantic error where it is none."""
    if not is_requirement(text):
        raise option_error(f"{RULE} (got {format_value(text)})")
    return text


def unmet_reason(requirement: str) -> str:
    """Return what is wrong with what is installed of a package; empty where it will do."""
    from packaging.requirements import Requirement
    from packaging.version import InvalidVersion

    wanted = Requirement(requirement)
    try:
        found = version(wanted.name)
    except PackageNotFoundError:
        return "is not installed"
    try:
        will_do = wanted.specifier.contains(found, prereleases=True)
    except InvalidVersion:
        will_do = not wanted.specifier
    return "" if will_do else f"is installed as {found}"


def command(requirements: Iterable[str]) -> str:
    """Return what installs packages, to be pasted into a shell."""
    return f"pip install {shlex.join(requirements)}"


def required_packages(tree: Node) -> list[str]:
    """Return what a recipe requires, as far as it can be read."""
    return [text for _, text in _readable(tree)]


def unmet_requirements(tree: Node, *, complete: bool) -> Iterator[tuple[KeyPath, str]]:
    """Yield each required package that is not here; `complete`: all components are, even so."""
    way_out = "; no component is missing, so setting 'requires=[]' may do as well"
    for index, item in _readable(tree):
        if wrong := unmet_reason(item):
            told = f"{item} {wrong}: {command([item])}"
            yield (KEY, index), told + (way_out if complete else "")


def merge_requirements(over: Node, under: Node) -> Node | None:
    """Return what a recipe and the one that it extends require; None where one has no list."""
    ours, theirs = _items(over), _items(under)
    if ours is None or theirs is None:
        return None
    items = {str(item.plain()): item for item in (*theirs, *ours)}
    return Node(list(items.values()), over.value[KEY].origin)


def _readable(tree: Node) -> list[tuple[int, str]]:
    """Return the requirements that are such, with their places in the list."""
    return [
        (index, item.value)
        for index, item in enumerate(_items(tree) or [])
        if isinstance(item.value, str) and is_requirement(item.value)
    ]


def _items(tree: Node) -> list[Node] | None:
    """Return the items of the list that a recipe's tree has, or None."""
    listed = tree.value.get(KEY)
    return listed.value if listed is not None and isinstance(listed.value, list) else None


def add_plugin_requirements(requires: Sequence[str], owners: Iterable[str]) -> list[str]:
    """Return requirements with those for the plug-ins that components come from.

    A package that is named already stays as it is; one that is not may be any later version.
    """
    packages = {found[1]: found[2] for owner in owners if (found := _OWNER.fullmatch(owner))}
    if not packages.keys() - {_OWN}:
        return list(requires)
    from packaging.utils import canonicalize_name

    named = {_name(requirement) for requirement in requires} | {_OWN}
    more = [name for name in sorted(packages) if canonicalize_name(name) not in named]
    return [*requires, *(_from(package, packages[package]) for package in more)]


def is_of(owner: str, requires: Sequence[str]) -> bool:
    """Return whether a plug-in is of a package that is required."""
    from packaging.utils import canonicalize_name

    found = _OWNER.fullmatch(owner)
    return found is not None and canonicalize_name(found[1]) in map(_name, requires)


def _name(requirement: str) -> str:
    """Return a package's name in the one way of writing it that all agree on."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    return canonicalize_name(Requirement(requirement).name)


def _from(package: str, found: str) -> str:
    """Return a requirement of a version or any later one; local builds have no public order."""
    from packaging.version import InvalidVersion, Version

    try:
        return f"{package}>={Version(found).public}"
    except InvalidVersion:
        return package


RUNS = Path("runs")
"""Where run folders lie that nobody named."""


class RequirementAwareLookup:
    """Finds components as the registry does, and remembers whose they are.

    Of one that is not here it tells which package brings it: one of those that the recipe requires
    (`required_packages`), or one that an earlier run of the recipe had.
    """

    def __init__(self, registry: Registry, required: Sequence[str], run: Path | None) -> None:
        self.registry, self.required, self.run = registry, required, run
        self.complete = True
        self._found: set[type[Component]] = set()

    def find(self, kind: str, name: str) -> type[Component]:
        """Return the component class; raise LookupError with one line that helps."""
        try:
            component = self.registry.find(kind, name)
        except LookupError:
            self.complete = False
            if hint := self._hint(name):
                raise LookupError(f"no {kind} is called '{name}'; {hint}") from None
            raise
        self._found.add(component)
        return component

    @property
    def owners(self) -> list[str]:
        """Return whose components were found, as the registry names them."""
        return [owner for component, owner in self.registry if component in self._found]

    def _hint(self, name: str) -> str:
        """Return which package brings a component; empty where that is not known."""
        if any(component.name == name for component, _ in self.registry):
            return ""  # it is of another kind: that is the mistake
        if lacking := {
            requirement: wrong
            for requirement in self.required
            if (wrong := unmet_reason(requirement))
        }:
            told = ", and ".join(
                f"{requirement}, which {wrong}" for requirement, wrong in lacking.items()
            )
            return f"this recipe requires {told}: {command(lacking)}"
        if faulty := [
            package for package in self.registry.unavailable if is_of(package, self.required)
        ]:
            told = " and ".join(faulty)
            was = "was" if len(faulty) == 1 else "were"
            return f"{told}, which this recipe requires, {was} left out: see `mousai-kit plugins`"
        return _earlier_hint(self.run, name) if self.run else ""


def default_run_folder(tree: Node) -> Path | None:
    """Return the run folder that a recipe has where none is named; none for a wrong name."""
    name = tree.value["name"].plain() if "name" in tree.value else None
    if isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        return RUNS / name
    return None


def _earlier_hint(run: Path, component: str) -> str:
    """Return which package brought a component when a run was made; empty if unknown."""
    try:
        origin = Location(0, source=str(run / RECIPE))
        tree = read_file(run / RECIPE, origin, ProblemCollector())
    except (OSError, RecipeError):
        return ""
    lacking = [package for package in required_packages(tree) if unmet_reason(package)]
    if not lacking or component not in _names(tree.plain()):
        return ""
    from packaging.requirements import Requirement

    packages = " or ".join(Requirement(text).name for text in lacking)
    return f"{packages} brought it when {run} was made: {command(lacking)}"


def _names(values: Any) -> Iterator[str]:
    """Yield the names of all components that plain values use."""
    items: Iterable[Any] = ()
    match values:
        case dict():
            items = values.values()
            if isinstance(name := values.get("use"), str):
                yield name
        case list():
            items = values
    for item in items:
        yield from _names(item)
