"""Recipes that come with mousai-kit, and the way from a name to a file."""

from __future__ import annotations

from pathlib import Path

import mousai_kit
from mousai_kit.core.errors import RecipeError, suggest

_PACKAGE = Path(mousai_kit.__file__).parent
FOLDERS = (_PACKAGE / "recipes", _PACKAGE.parent / "recipes")
"""Where shipped recipes lie: in a wheel, and in the repository."""


def shipped_recipes() -> dict[str, Path]:
    """Return the shipped recipes by name, sorted."""
    for folder in FOLDERS:
        if folder.is_dir():
            files = sorted(folder.glob("*.yaml"), key=lambda path: path.stem)
            return {path.stem: path for path in files}
    return {}


def shipped_under(name: str) -> Path | None:
    """Return the shipped recipe that is called `name`, written with or without `.yaml`."""
    return shipped_recipes().get(name.removesuffix(".yaml"))


def get_shipped(name: str) -> Path:
    """Return the shipped recipe that is called `name`; RecipeError where none is."""
    if found := shipped_under(name):
        return found
    raise RecipeError(f"no shipped recipe is called '{name}'{suggest(name, shipped_recipes())}")


def copy_destination(name: str, target: Path | None = None, *, force: bool = False) -> Path:
    """Return where a copy of a shipped recipe goes: `target`, by default its own name, here.

    A target that is a folder gets the recipe under its own name. RecipeError where no recipe is
    called so, or where something has the file's name already and `force` is not given.
    """
    source = get_shipped(name)
    target = target or Path(source.name)
    if target.is_dir():
        target = target / source.name
    if (target.exists() or target.is_symlink()) and not force:
        raise RecipeError.about(target, "is there already; name another file or use --force")
    return target


def copy_shipped(name: str, target: Path | None = None, *, force: bool = False) -> Path:
    """Copy a shipped recipe to its `copy_destination`; return the new file.

    A recipe that extends another one keeps doing so: a shipped one is found by its name from
    anywhere. A link is replaced, not what it leads to.
    """
    target = copy_destination(name, target, force=force)
    text = get_shipped(name).read_text(encoding="utf-8")
    if target.is_symlink():
        target.unlink()
    target.write_text(text, encoding="utf-8")
    return target
