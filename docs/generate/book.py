"""All pages of the reference: what stands where."""

from __future__ import annotations

from pathlib import Path

from generate.api_page import api_page
from generate.kind_page import kind_page
from generate.kinds_page import kinds_page
from generate.recipe_page import recipe_page
from generate.rooms import rooms_picture
from mousai_kit.core.interfaces import KINDS
from mousai_kit.core.plugins import first_party


def pages(folder: Path) -> dict[Path, str]:
    """Return the text of each page in a folder; what is written there by hand is kept."""
    registry = first_party()
    found = {folder / "reference.md": recipe_page(registry), folder / "api.md": api_page()}
    found[folder / "images" / "rooms.svg"] = rooms_picture(folder.parent / "pyproject.toml")
    index = folder / "kinds" / "index.md"
    found[index] = kinds_page(_text(index))
    for kind in KINDS:
        path = folder / "kinds" / f"{kind}.md"
        found[path] = kind_page(kind, registry, _text(path))
    return found


def _text(page: Path) -> str:
    return page.read_text(encoding="utf-8") if page.exists() else ""
