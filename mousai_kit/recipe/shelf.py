"""Recipes that come with mousai-kit, and the way from a name to a file."""

from __future__ import annotations

from pathlib import Path

import mousai_kit
from mousai_kit.errors import Problem, RecipeError, did_you_mean, listed

_PACKAGE = Path(mousai_kit.__file__).parent
FOLDERS = (_PACKAGE / "recipes", _PACKAGE.parent / "recipes")
"""Where shipped recipes lie: in a wheel, and in the repository."""


def shipped() -> dict[str, Path]:
    """Return the shipped recipes by name, sorted."""
    for folder in FOLDERS:
        if folder.is_dir():
            files = sorted(folder.glob("*.yaml"), key=lambda path: path.stem)
            return {path.stem: path for path in files}
    return {}


def shipped_under(name: str) -> Path | None:
    """Return the shipped recipe that is called `name`, written with or without `.yaml`."""
    return shipped().get(name.removesuffix(".yaml"))


def shipped_called(name: str) -> Path:
    """Return the shipped recipe that is called `name`; RecipeError where none is."""
    if found := shipped_under(name):
        return found
    known = shipped()
    hint = did_you_mean(name, known) or f"; there are {listed(known)}"
    raise RecipeError(f"no shipped recipe is called '{name}'{hint}")


def copy_shipped(name: str, target: Path | None = None, *, force: bool = False) -> Path:
    """Copy a shipped recipe to `target` (by default its own name, here); return the new file.

    A target that is a folder gets the recipe under its own name. RecipeError where no recipe is
    called so, or where the file is there already and `force` is not given. A recipe that extends
    another one keeps doing so: a shipped one is found by its name from anywhere.
    """
    source = shipped_called(name)
    target = target or Path(source.name)
    if target.is_dir():
        target = target / source.name
    if target.exists() and not force:
        raise RecipeError(
            Problem(str(target), "", "is there already; name another file or use --force")
        )
    target.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    return target
