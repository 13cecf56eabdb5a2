"""All pages of the reference: what stands where."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

from mousai_kit.errors import PluginError
from mousai_kit.hookspecs import GROUP
from mousai_kit.interfaces import KINDS
from mousai_kit.plugins import discover
from mousai_kit.reference.kind_page import kind_page
from mousai_kit.reference.kinds_page import kinds_page
from mousai_kit.reference.recipe_page import recipe_page
from mousai_kit.registry import Registry


def pages(folder: Path) -> dict[Path, str]:
    """Return the text of each page in a folder; what is written there by hand is kept."""
    registry = first_party()
    found = {folder / "reference.md": recipe_page(registry)}
    index = folder / "kinds" / "index.md"
    found[index] = kinds_page(_text(index))
    for kind in KINDS:
        path = folder / "kinds" / f"{kind}.md"
        found[path] = kind_page(kind, registry, _text(path))
    return found


def first_party() -> Registry:
    """Return the components of mousai-kit's own plug-ins; PluginError where one is left out."""
    own = [it for it in entry_points(group=GROUP) if it.dist and it.dist.name == "mousai-kit"]
    registry, reports = discover(own)
    names = {point.name for point in own}
    if faults := [it.fault for it in reports if it.fault and it.name in names]:
        raise PluginError(*faults)
    return registry


def _text(page: Path) -> str:
    return page.read_text(encoding="utf-8") if page.exists() else ""
