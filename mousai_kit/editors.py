"""Editors: the schema that they check recipes with, and the line by which a recipe points to it.

`python -m mousai_kit.editors` prints the schema of mousai-kit's own components, which lies beside
the shipped recipes.
"""

from __future__ import annotations

import json
from pathlib import Path

from mousai_kit.checkpoints import write_bytes
from mousai_kit.errors import Problem, RequestError
from mousai_kit.plugins import installed
from mousai_kit.recipe.json_schema import COMMENT, json_schema
from mousai_kit.reference import first_party
from mousai_kit.registry import Registry

FILE = "mousai-kit.schema.json"
"""The schema's name, beside the recipes that point to it."""
POINTER = "# yaml-language-server: $schema="
"""How a comment begins that tells editors where a file's schema is."""


def point_to_schema(recipe: Path) -> Path:
    """Let editors check a recipe: point to the schema in its first line, and write it beside.

    A recipe that points to some schema keeps doing so. The schema is that of all components that
    are installed; one that is there is replaced. Return its file.
    """
    text = recipe.read_text(encoding="utf-8")
    if POINTER not in text:
        recipe.write_text(f"{POINTER}{FILE}\n{text}", encoding="utf-8")
    return write_schema(recipe.with_name(FILE))


def write_schema(file: Path) -> Path:
    """Write the schema of all components that are installed, whole or not at all; return its file.

    RequestError where the name is taken by anything but such a schema.
    """
    check_schema(file)
    if not file.parent.is_dir():
        told = f"can't be made: there is no folder '{file.parent}'"
        raise RequestError(Problem(str(file), "", told))
    write_bytes(file, schema_text(installed()).encode())
    return file


def check_schema(file: Path) -> None:
    """Raise RequestError where a schema would be written over something else."""
    if not (file.exists() or file.is_symlink()):
        return
    try:
        kept = None if file.is_symlink() else json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        kept = None
    if not (isinstance(kept, dict) and kept.get("$comment") == COMMENT):
        told = "is there already and is no schema of mousai-kit's; move it, or name another file"
        raise RequestError(Problem(str(file), "", told))


def schema_text(registry: Registry) -> str:
    """Return the schema of recipes made of a registry's components, as JSON."""
    return json.dumps(json_schema(registry), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


if __name__ == "__main__":
    print(schema_text(first_party()), end="")
