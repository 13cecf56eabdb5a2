"""The picture of the house: the packages of mousai_kit on the floors of the import contract."""

from __future__ import annotations

import tomllib
from html import escape
from pathlib import Path

WIDTH, FLOOR, GAP = 760, 44, 10
STYLE = (
    "text{font:15px system-ui,sans-serif;text-anchor:middle;fill:#1f2937}"
    "rect{fill:#e8edf5;stroke:#64748b;rx:6}"
)


def rooms_picture(pyproject: Path) -> str:
    """Return an SVG with a row of boxes for each layer of the contract, the highest on top."""
    settings = tomllib.loads(pyproject.read_text(encoding="utf-8"))["tool"]["importlinter"]
    (layers,) = [it["layers"] for it in settings["contracts"] if it["type"] == "layers"]
    height = len(layers) * (FLOOR + GAP) + GAP
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}">',
        f"<style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" style="fill:#fff;stroke:none"/>',
    ]
    for number, layer in enumerate(layers):
        names = [name.strip() for name in layer.split("|")]
        width = (WIDTH - GAP * (len(names) + 1)) / len(names)
        top = GAP + number * (FLOOR + GAP)
        for place, name in enumerate(names):
            left = GAP + place * (width + GAP)
            lines.append(f'<rect x="{left:.0f}" y="{top}" width="{width:.0f}" height="{FLOOR}"/>')
            lines.append(f'<text x="{left + width / 2:.0f}" y="{top + 28}">{escape(name)}</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"
