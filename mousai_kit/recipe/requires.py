"""Requires: the packages that a recipe's components come from.

A requirement is a package's name, with versions if need be, as pip has it: mousai-kit-acme>=0.2.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version
from pydantic_core import PydanticCustomError

from mousai_kit.errors import shown
from mousai_kit.recipe.values import Place, Written

KEY = "requires"
RULE = "must be a package's name, with versions if need be, such as 'mousai-kit-acme>=0.2'"

_OWN = "mousai-kit"
_OWNER = re.compile(r"(\S+) (\S+) \(.*\)")
"""A plug-in in the registry's words: package, version, (entry point)."""


def is_requirement(text: str) -> bool:
    """Return whether a text names a package, with versions or without, and nothing else."""
    try:
        wanted = Requirement(text)
    except InvalidRequirement:
        return False
    return not (wanted.extras or wanted.marker or wanted.url)


def checked(text: str) -> str:
    """Return a requirement; a pydantic error where it is none."""
    if not is_requirement(text):
        raise PydanticCustomError("said", "{text}", {"text": f"{RULE} (got {shown(text)})"})
    return text


def lack(requirement: str) -> str:
    """Return what is wrong with what is installed of a package; empty where it will do."""
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


def required(tree: Written) -> list[str]:
    """Return what a recipe requires, as far as it can be read."""
    return [text for _, text in _readable(tree)]


def lacking(tree: Written, *, complete: bool) -> Iterator[tuple[Place, str]]:
    """Yield each required package that is not here; `complete`: all components are, even so."""
    way_out = "; no component is missing, so --set 'requires=[]' may do as well"
    for index, item in _readable(tree):
        if wrong := lack(item):
            told = f"{item} {wrong}: {command([item])}"
            yield (KEY, index), told + (way_out if complete else "")


def united(over: Written, under: Written) -> Written | None:
    """Return what a recipe and the one that it extends require; None where one has no list."""
    ours, theirs = _items(over), _items(under)
    if ours is None or theirs is None:
        return None
    items = {str(item.plain()): item for item in (*theirs, *ours)}
    return Written(list(items.values()), over.value[KEY].origin)


def _readable(tree: Written) -> list[tuple[int, str]]:
    """Return the requirements that are such, with their places in the list."""
    found = ((index, item.value) for index, item in enumerate(_items(tree) or []))
    return [(index, it) for index, it in found if isinstance(it, str) and is_requirement(it)]


def _items(tree: Written) -> list[Written] | None:
    """Return the items of the list that a recipe's tree has, or None."""
    listed = tree.value.get(KEY)
    return listed.value if listed is not None and isinstance(listed.value, list) else None


def completed(requires: Sequence[str], owners: Iterable[str]) -> list[str]:
    """Return requirements with those for the plug-ins that components come from.

    A package that is named already stays as it is; one that is not may be any later version.
    """
    packages = {found[1]: found[2] for it in owners if (found := _OWNER.fullmatch(it))}
    named = {_name(it) for it in requires} | {_OWN}
    more = [it for it in sorted(packages) if canonicalize_name(it) not in named]
    return [*requires, *(_from(package, packages[package]) for package in more)]


def is_of(owner: str, requires: Sequence[str]) -> bool:
    """Return whether a plug-in is of a package that is required."""
    found = _OWNER.fullmatch(owner)
    return found is not None and canonicalize_name(found[1]) in map(_name, requires)


def _name(requirement: str) -> str:
    """Return a package's name in the one way of writing it that all agree on."""
    return canonicalize_name(Requirement(requirement).name)


def _from(package: str, found: str) -> str:
    """Return a requirement of a version or any later one; local builds have no public order."""
    try:
        return f"{package}>={Version(found).public}"
    except InvalidVersion:
        return package
