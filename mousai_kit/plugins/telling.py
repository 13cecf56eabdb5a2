"""Telling: an exception of a plug-in's as one line that says what to do."""

from __future__ import annotations

import re
from importlib import import_module

from pydantic.errors import PydanticUserError

import mousai_kit
from mousai_kit.errors import MousaiError, did_you_mean, one_line
from mousai_kit.plugins.entries import Entry
from mousai_kit.plugins.watchdog import Hung, patience

PUBLIC = "mousai_kit.api"
"""What plug-ins import: loaded by name here, as it stands above plug-ins itself."""
LONGEST = 300
"""Characters of an exception's text that are shown."""


def told(error: BaseException, entry: Entry, module: str, step: str) -> str:
    """Return what is wrong, and what to do; `step` is the code that shows it again."""
    match error:
        case Hung():
            return (
                f"hung for {patience():g} s while it was loaded and was given up; work and "
                "downloads belong into methods: MOUSAI_KIT_PATIENCE=60 waits longer"
            )
        case SystemExit():
            return f"{in_short(error)}; a plug-in must not end the program that loads it"
        case MousaiError():
            return "; ".join(map(str, error.problems))
        case ImportError() | AttributeError() if name := _missing_in_interface(error):
            return _not_in_interface(name, entry)
        case ModuleNotFoundError() if error.name:
            return _missing_module(error.name, entry, module)
        case ImportError() if error.name:
            top = error.name.partition(".")[0]
            return f"{in_short(error)}; install the {top} that {entry.package} needs"
        case PydanticUserError() if name := _without_type(error):
            return f"has Options that can't be made; give the option '{name}' a type"
        case SyntaxError():
            return f"{type(error).__name__}: {error.msg}; mend the line"
    return f'{in_short(error)}; see all of it with `python -c "{step}"`'


def _missing_module(name: str, entry: Entry, module: str) -> str:
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


def _not_in_interface(name: str, entry: Entry) -> str:
    mk = import_module(PUBLIC)
    hint = did_you_mean(name, mk.__all__) or (
        f"; it may be written for another version: `pip install --upgrade mousai-kit "
        f"{entry.package}`"
    )
    return f"needs '{name}', which mousai_kit.api {mousai_kit.__version__} does not have{hint}"


def in_short(error: BaseException) -> str:
    """Return an exception's kind and text on one line."""
    try:
        text = one_line(" ".join(str(error).split()))
    except Exception:  # whatever its __str__ does
        text = ""
    if path := getattr(error, "path", None):
        text = text.removesuffix(f" ({path})")
    cut = text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
    return f"{type(error).__name__}: {cut}" if cut else type(error).__name__
