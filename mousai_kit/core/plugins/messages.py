"""Telling: an exception of a plug-in's as one line that says what to do.

Blame: whose code an exception came from in mid-command, in one line.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from importlib import import_module

from pydantic.errors import PydanticUserError

import mousai_kit
from mousai_kit.core.errors import MousaiError, did_you_mean, escape_control_chars, shorten
from mousai_kit.core.plugins.entry_points import OWN, PluginEntry, installed_entries
from mousai_kit.core.plugins.reports import FRAMEWORK, SourceLine, package_paths

PUBLIC = "mousai_kit.api"
"""What plug-ins import: loaded by name here, as it stands above plug-ins itself."""
LONGEST = 300
"""Characters of an exception's text that are shown."""


def explain_plugin_error(error: BaseException, entry: PluginEntry, module: str, step: str) -> str:
    """Return what is wrong, and what to do; `step` is the code that shows it again."""
    match error:
        case SystemExit():
            return f"{short_error(error)}; a plug-in must not end the program that loads it"
        case MousaiError():
            return "; ".join(map(str, error.problems))
        case ImportError() | AttributeError() if name := _missing_in_interface(error):
            return _not_in_interface(name, entry)
        case ModuleNotFoundError() if error.name:
            return _missing_module(error.name, entry, module)
        case ImportError() if error.name:
            top = error.name.partition(".")[0]
            return f"{short_error(error)}; install the {top} that {entry.package} needs"
        case PydanticUserError() if name := _without_type(error):
            return f"has Options that can't be made; give the option '{name}' a type"
        case SyntaxError():
            return f"{type(error).__name__}: {error.msg}; mend the line"
    return f'{short_error(error)}; see all of it with `python -c "{step}"`'


def _missing_module(name: str, entry: PluginEntry, module: str) -> str:
    top = name.partition(".")[0]
    if module == name or module.startswith(f"{name}."):
        return (
            f"its entry point names the module '{module}', but there is no module '{name}'; "
            "correct it in pyproject.toml and install the package anew"
        )
    if top == "mousai_kit":
        return _not_in_interface(name, entry)
    if top == module.partition(".")[0]:
        return f"has no module '{name}'; correct the import, or install {entry.package} anew"
    return (
        f"needs the module '{top}', which is not installed; `pip install {top}`, or the package "
        "that has it"
    )


def _without_type(error: PydanticUserError) -> str:
    """Return the option that stands in a class of Options without a type; empty for any other."""
    untyped = error.code == "model-field-missing-annotation"
    found = re.search(r"(?:Field '|detected: `)(\w+)", str(error)) if untyped else None
    return found[1] if found else ""


def _missing_in_interface(error: ImportError | AttributeError) -> str:
    """Return the name that a plug-in looked for in mousai_kit.api in vain; empty for any other."""
    mk = import_module(PUBLIC)
    if isinstance(error, AttributeError):
        return error.name if error.obj is mk and error.name else ""
    found = re.match(r"cannot import name '(\w+)' from 'mousai_kit", str(error))
    return found[1] if found else ""


def _not_in_interface(name: str, entry: PluginEntry) -> str:
    mk = import_module(PUBLIC)
    hint = did_you_mean(name, mk.__all__) or (
        f"; it may be written for another version: `pip install --upgrade mousai-kit "
        f"{entry.package}`"
    )
    return f"needs '{name}', which mousai_kit.api {mousai_kit.__version__} does not have{hint}"


def short_error(error: BaseException) -> str:
    """Return an exception's kind and text on one line."""
    try:
        text = escape_control_chars(" ".join(str(error).split()))
    except Exception:  # whatever its __str__ does
        text = ""
    if path := getattr(error, "path", None):
        text = text.removesuffix(f" ({path})")
    kind = type(error).__name__
    return f"{kind}: {shorten(text, LONGEST)}" if text else kind


WORKER = re.compile(r'^  File "(.+)", line (\d+)', re.MULTILINE)
"""A line of the traceback that a data loader's worker sends as its exception's text."""


def attribute_error(error: BaseException) -> str:
    """Return whose fault an exception is, where it is, and what to do.

    Wherever a third party's code had a hand in it, it is theirs: what came with mousai-kit is
    tested, and was perhaps called wrongly.
    """
    entries = [
        (entry, package_paths(entry.point.value.partition(":")[0])) for entry in installed_entries()
    ]
    ours = (
        FRAMEWORK,
        *(home for entry, files in entries if entry.package == OWN for home in files),
    )
    places = list(_places(error))[::-1]
    told = (
        escape_control_chars(str(error).splitlines()[-1])
        if _from_worker(error)
        else short_error(error)
    )
    for place in places:
        for entry, files in entries:
            if entry.package != OWN and place.file.startswith(files):
                blame = "a fault of this plug-in: tell its author, or set MOUSAI_KIT_WITHOUT="
                return f"{entry.owner}: {place}: {told}; {blame}{entry.name}"
    own = next((path for path in places if path.file.startswith(ours)), None)
    version = f"{OWN} {mousai_kit.__version__}"
    where = f"{own}: " if own else ""
    return f"{version}: {where}{told}; a fault of mousai-kit: please report it"


def _places(error: BaseException) -> Iterator[SourceLine]:
    """Yield the lines that an exception came through, the innermost last."""
    for frame in traceback.extract_tb(error.__traceback__):
        yield SourceLine(frame.filename, frame.lineno or 1)
    if _from_worker(error):
        for file, line in WORKER.findall(str(error)):
            yield SourceLine(file, int(line))


def _from_worker(error: BaseException) -> bool:
    return "in DataLoader worker process" in str(error)
