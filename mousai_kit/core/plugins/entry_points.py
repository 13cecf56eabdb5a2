"""Entries: the entry points of installed packages, as far as their metadata can be read."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import Distribution, EntryPoint, distributions, entry_points
from pathlib import Path

from mousai_kit.core.hookspecs import GROUP
from mousai_kit.core.plugins.reports import SourceLine

OWN = "mousai-kit"
"""The package whose plug-ins load first: nobody's component takes the place of one of them."""
FAMILY = re.compile(r"mousai_kit\..+|mousai[-_.]?kit[-_.]?v\d+", re.IGNORECASE)
"""Groups of all versions of the interface, however they are spelled."""
WITHOUT = "MOUSAI_KIT_WITHOUT"
"""The variable of the environment that switches plug-ins off, by name or package."""
DAMAGED = "has metadata that can't be read; install the package anew"


@dataclass(frozen=True, slots=True)
class PluginEntry:
    """An entry point with its package: a plug-in that may not have been loaded yet."""

    name: str
    package: str
    version: str
    point: EntryPoint
    fault: str = ""
    """Why it can't even be tried; most often empty."""

    @classmethod
    def of(cls, point: EntryPoint) -> PluginEntry:
        """Return the entry for an entry point, whatever state its package's metadata is in."""
        package, version, fault = "unknown package", "0", ""
        if point.dist is not None:
            package, version = _name_and_version(point.dist)
            if not (package and version):
                package, version, fault = _folder_name(point.dist), version or "0", DAMAGED
        return cls(point.name, package, version, point, fault)

    @property
    def owner(self) -> str:
        """Return the package with its version, and the plug-in's name."""
        return f"{self.package} {self.version} ({self.name})"

    @property
    def place(self) -> SourceLine | None:
        """Return the line that names the plug-in, None where it can't be told."""
        with suppress(Exception):  # RECORD may be missing or damaged
            assert self.point.dist is not None
            for file in self.point.dist.files or ():
                if file.name == "entry_points.txt":
                    return _place_in(Path(str(file.locate())), self.name)
        return None


def installed_entries() -> list[PluginEntry]:
    """Return the plug-ins of all installed packages, for any version of the interface."""
    try:
        everyones = entry_points()
    except Exception:  # one damaged file anywhere, and none can be read
        return list(_one_by_one())
    groups = sorted(group for group in everyones.groups if FAMILY.fullmatch(group))
    points = (point for group in groups for point in everyones.select(group=group))
    return [PluginEntry.of(point) for point in dict.fromkeys(points)]


def is_misspelled(group: str) -> bool:
    """Tell whether a group is ours but for its dots, dashes and case."""
    return group != GROUP and _letters(group) == _letters(GROUP)


def is_disabled(entry: PluginEntry) -> bool:
    """Tell whether the user wants to do without a plug-in."""
    return any(
        _alike(word) in (_alike(entry.name), _alike(entry.package)) for word in excluded_names()
    )


def excluded_names() -> list[str]:
    """Return the plug-ins and packages that MOUSAI_KIT_WITHOUT names."""
    words = os.environ.get(WITHOUT, "").split(",")
    return [word.strip() for word in words if word.strip()]


def _letters(group: str) -> str:
    return re.sub(r"[-_.]", "", group).lower()


def _alike(package: str) -> str:
    """Return a package's name as pip compares it."""
    return package.replace("_", "-").lower()


def _one_by_one() -> Iterator[PluginEntry]:
    """Yield the plug-ins of every package that can be read, and those that can't by their fault."""
    by_folder: dict[str, Distribution] = {}
    for dist in distributions():  # what comes first on the import path counts
        by_folder.setdefault(_folder_name(dist), dist)
    for folder, dist in by_folder.items():
        try:
            points = dist.entry_points
        except Exception:  # as above
            if FAMILY.search(_entry_points_text(dist)):
                yield PluginEntry("?", folder, "0", EntryPoint("?", "", GROUP), DAMAGED)
            continue
        yield from (PluginEntry.of(point) for point in points if FAMILY.fullmatch(point.group))


@lru_cache(maxsize=64)
def _name_and_version(dist: Distribution) -> tuple[str, str]:
    """Return a package's name and version as far as its metadata can be read, which takes long."""
    name = version = ""
    with suppress(Exception):  # a file missing, cut off or no text: it differs by Python
        name, version = dist.name, dist.version
    return name, version


def _folder_name(dist: Distribution) -> str:
    """Return the package's name as its folder of metadata has it."""
    folder = getattr(dist, "_path", None)
    return folder.name.split("-")[0].replace("_", "-") if folder else "unknown package"


def _entry_points_text(dist: Distribution) -> str:
    folder = getattr(dist, "_path", None)
    try:
        return (folder / "entry_points.txt").read_text(errors="replace") if folder else ""
    except OSError:
        return ""


def _place_in(file: Path, name: str) -> SourceLine:
    lines = file.read_text(encoding="utf-8").splitlines()
    numbers = [number for number, line in enumerate(lines, 1) if line.split("=")[0].strip() == name]
    return SourceLine(str(file), numbers[0] if numbers else 1)
