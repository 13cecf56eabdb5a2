"""The picture of `samplers.py`: error over evaluations, a panel a problem and spacing.

python benchmarks/samplers_picture.py FIGURES.json PICTURE.png
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

COLOURS = {"ddim": "#444444", "dpmpp-2m": "#1f77b4", "angle-2m": "#d62728", "heun": "#2ca02c"}
LEVELS = ("linear", "cosine-spaced", "karras", "uniform-log-snr")


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw the error of samplers without fresh noise, a row a problem, a column a spacing."""
    problems = sorted({row["problem"] for row in rows})
    figure, grid = plt.subplots(
        len(problems), len(LEVELS), figsize=(11, 2.6 * len(problems)), sharex=True, sharey="row"
    )
    for problem, panels in zip(problems, grid.reshape(len(problems), -1), strict=True):
        mine = [row for row in rows if row["problem"] == problem]
        for levels, panel in zip(LEVELS, panels, strict=True):
            _panel(panel, mine, levels)
            panel.set_title(f"{problem}: {levels}", fontsize=8)
        panels[0].set_ylabel("error (relative L2)", fontsize=8)
    grid.flat[0].legend(fontsize=7)
    figure.supxlabel("evaluations of the network; grey: ddim with 50 even steps", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    plt.close(figure)


def _panel(panel: Any, rows: list[dict[str, Any]], levels: str) -> None:
    """Draw one problem at one spacing."""
    for sampler, colour in COLOURS.items():
        points = [row for row in rows if (row["sampler"], row["levels"]) == (sampler, levels)]
        points.sort(key=lambda row: int(row["evaluations"]))
        counts, errors = ([row[key] for row in points] for key in ("evaluations", "error"))
        panel.plot(counts, errors, ".-", color=colour, label=sampler, linewidth=1.2, markersize=4)
    for row in rows:
        if (row["sampler"], row["levels"], row["evaluations"]) == ("ddim", "linear", 50):
            panel.axhline(row["error"], color="0.7", zorder=0)
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_xticks([5, 10, 20, 50, 100], ["5", "10", "20", "50", "100"])
    panel.minorticks_off()
    panel.tick_params(labelsize=7)


if __name__ == "__main__":
    figures = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    draw(figures["rows"], Path(sys.argv[2]))
