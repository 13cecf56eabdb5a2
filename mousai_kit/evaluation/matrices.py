"""Pictures of matrices: shares as shades, with their figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mousai_kit.core.interfaces import Matrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DARK = 0.55
"""Shares from here on are written in white."""


def draw_matrix(path: Path, matrix: Matrix) -> None:
    """Draw a matrix (PNG)."""
    draw_matrices(path, {matrix.title: matrix})


def draw_matrices(path: Path, panels: dict[str, Matrix]) -> None:
    """Draw matrices side by side (PNG), each under its title."""
    from matplotlib.figure import Figure

    columns = max(len(matrix.columns) for matrix in panels.values())
    rows = max(len(matrix.rows) for matrix in panels.values())
    width, height = 2.4 + 0.62 * columns, 1.9 + 0.5 * rows
    figure = Figure(figsize=(max(3.6, width) * len(panels), height), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for place, (title, matrix) in zip(axes, panels.items(), strict=True):
        _draw(place, title, matrix)
    part = path.with_name(f".{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(part, dpi=110, format="png")
    part.replace(path)


def _draw(axes: Axes, title: str, matrix: Matrix) -> None:
    axes.imshow([list(row) for row in matrix.shares], cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_title(title, fontsize=9, loc="left")
    axes.set_xticks(range(len(matrix.columns)), matrix.columns, rotation=40, ha="right", fontsize=8)
    axes.set_yticks(range(len(matrix.rows)), matrix.rows, fontsize=8)
    axes.set_xlabel("heard as", fontsize=8)
    axes.set_ylabel("asked for", fontsize=8)
    for row, shares in enumerate(matrix.shares):
        for column, share in enumerate(shares):
            if share:
                colour = "white" if share >= DARK else "black"
                told = f"{100 * share:.0f}"
                axes.text(column, row, told, ha="center", va="center", color=colour, fontsize=8)
