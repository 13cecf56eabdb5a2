"""A report: what became of one plug-in.

Faults: what is wrong with a plug-in in one line, and the file and line where it is.

Notes: what the author of a plug-in should know of it, although it loads.
"""

from __future__ import annotations

import inspect
import os
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

import mousai_kit
from mousai_kit.core.component import Component
from mousai_kit.core.option_checks import check_slot_defaults
from mousai_kit.core.registry import Registry

FRAMEWORK = f"{Path(mousai_kit.__file__).parent}{os.sep}"


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of a file."""

    file: str
    line: int

    def __str__(self) -> str:
        try:
            shown = Path(self.file).relative_to(Path.cwd())
        except (ValueError, OSError):  # elsewhere, or the folder that we stand in is gone
            shown = Path(self.file)
        return f"{shown}:{self.line}"


@dataclass(frozen=True, slots=True)
class PluginProblem:
    """One thing that is wrong, with what to do, and where."""

    message: str
    place: SourceLine | None = None

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class PluginFaultError(Exception):
    """A plug-in can't be taken."""

    def __init__(self, message: str, place: SourceLine | None = None) -> None:
        super().__init__(message)
        self.fault = PluginProblem(message, place)


def place_of(thing: object) -> SourceLine | None:
    """Return where a class or a function begins, None where it has no source."""
    try:
        file = inspect.getsourcefile(thing)  # type: ignore[arg-type]  # TypeError for any other
        line = inspect.getsourcelines(thing)[1]  # type: ignore[arg-type]
    except (OSError, TypeError):
        return None
    return SourceLine(file, max(line, 1)) if file else None


def place_of_error(error: BaseException, module: str) -> SourceLine | None:
    """Return the innermost line of a plug-in's own in an exception, else the innermost of all.

    What lies in mousai-kit, pluggy or Python's import machinery is nobody's fault.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return SourceLine(error.filename, error.lineno or 1)
    lines = [
        SourceLine(frame.filename, frame.lineno or 1)
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((FRAMEWORK, "<"))
        and not {"pluggy", "importlib"} & set(Path(frame.filename).parts)
    ]
    own = [line for line in lines if line.file.startswith(package_paths(module))]
    return next(reversed(own or lines), None)


def package_paths(module: str) -> tuple[str, ...]:
    """Return the folders or the file that a module's top package consists of."""
    try:
        spec = find_spec(module.partition(".")[0])
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        return ("\0",)  # which no file's name begins with
    if spec.submodule_search_locations:
        return tuple(f"{folder}{os.sep}" for folder in spec.submodule_search_locations)
    return (spec.origin or "\0",)


@dataclass(frozen=True, slots=True)
class PluginReport:
    """What became of one plug-in."""

    name: str
    package: str
    version: str
    components: tuple[str, ...] = ()
    """`kind: name` of each component that it offers."""
    faults: tuple[PluginProblem, ...] = ()
    """Why it was left out; empty where it loaded."""
    notes: tuple[PluginProblem, ...] = ()
    """What its author should know of it, although it loads."""
    switched_off: bool = False
    """Whether the user left it out."""
    seconds: float = field(default=0.0, compare=False)
    """How long it took to load."""

    @property
    def owner(self) -> str:
        """Return the package with its version, and the plug-in's name."""
        return f"{self.package} {self.version} ({self.name})"

    @property
    def fault(self) -> str:
        """Return why it was left out, in one line; empty where it loaded."""
        return "; ".join(fault.message for fault in self.faults)


SLOW = 5.0
"""Seconds from which on loading a plug-in counts as slow."""


def add_warnings(reports: list[PluginReport], registry: Registry) -> list[PluginReport]:
    """Return the reports with notes, some of which need to know all that is installed."""
    return [replace(report, notes=tuple(_notes(report, registry))) for report in reports]


def _notes(report: PluginReport, registry: Registry) -> Iterator[PluginProblem]:
    if report.faults:
        return
    if report.seconds >= SLOW:
        yield PluginProblem(
            f"takes {report.seconds:.1f} s to load, at every command; import what is heavy in the "
            "methods that use it"
        )
    for component, owner in registry:
        if owner == report.owner:
            for message in _component_notes(component, registry):
                yield PluginProblem(f"{component.__qualname__}: {message}", place_of(component))


def _component_notes(component: type[Component], registry: Registry) -> Iterator[str]:
    if not vars(component).get("__doc__"):
        yield "has no docstring; its first line is what `mousai-kit ls` prints"
    yield from check_slot_defaults(component.Options, registry)
