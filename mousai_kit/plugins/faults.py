"""Faults: what is wrong with a plug-in in one line, and the file and line where it is."""

from __future__ import annotations

import inspect
import os
import traceback
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import mousai_kit

FRAMEWORK = f"{Path(mousai_kit.__file__).parent}{os.sep}"


@dataclass(frozen=True, slots=True)
class Place:
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
class Fault:
    """One thing that is wrong, with what to do, and where."""

    message: str
    place: Place | None = None

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class PluginFaultError(Exception):
    """A plug-in can't be taken."""

    def __init__(self, message: str, place: Place | None = None) -> None:
        super().__init__(message)
        self.fault = Fault(message, place)


def place_of(thing: object) -> Place | None:
    """Return where a class or a function begins, None where it has no source."""
    try:
        file = inspect.getsourcefile(thing)  # type: ignore[arg-type]  # TypeError for any other
        line = inspect.getsourcelines(thing)[1]  # type: ignore[arg-type]
    except (OSError, TypeError):
        return None
    return Place(file, max(line, 1)) if file else None


def place_of_error(error: BaseException, module: str) -> Place | None:
    """Return the innermost line of a plug-in's own in an exception, else the innermost of all.

    What lies in mousai-kit, pluggy or Python's import machinery is nobody's fault.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return Place(error.filename, error.lineno or 1)
    lines = [
        Place(frame.filename, frame.lineno or 1)
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((FRAMEWORK, "<"))
        and not {"pluggy", "importlib"} & set(Path(frame.filename).parts)
    ]
    own = [line for line in lines if line.file.startswith(homes(module))]
    return next(reversed(own or lines), None)


def homes(module: str) -> tuple[str, ...]:
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
