"""The picture of `samplers.py`: error over evaluations, a panel a problem.

python benchmarks/samplers_picture.py FIGURES.json PICTURE.png
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

COLOURS = {"ddim": "#444444", "dpmpp-2m": "#1f77b4", "angle-2m": "#d62728", "heun": "#2ca02c"}
LINES = {"linear": "-", "cosine-spaced": "--", "karras": ":", "uniform-log-snr": "-."}


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw the error of samplers without fresh noise; the grey line is ddim's at 50."""
    rows = [row for row in rows if not row["stochastic"]]
    problems = list(dict.fromkeys(row["problem"] for row in rows))
    figure, panels = plt.subplots(1, len(problems), figsize=(4.2 * len(problems), 4), sharey=True)
    for panel, problem in zip(panels, problems, strict=True):
        _panel(panel, [row for row in rows if row["problem"] == problem])
        panel.set_title(problem)
        panel.set_xlabel("evaluations of the network")
    panels[0].set_ylabel("error against 1,000 steps (relative L2)")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="lower center", ncol=4, fontsize=8)
    figure.tight_layout(rect=(0, 0.2, 1, 1))
    figure.savefig(path, dpi=80)
    plt.close(figure)


def _panel(panel: Any, rows: list[dict[str, Any]]) -> None:
    for sampler, colour in COLOURS.items():
        for levels, line in LINES.items():
            points = [it for it in rows if (it["sampler"], it["levels"]) == (sampler, levels)]
            panel.plot(
                [it["evaluations"] for it in points],
                [it["error"] for it in points],
                line,
                color=colour,
                label=f"{sampler}, {levels}",
                linewidth=1.2,
            )
    for row in rows:
        if (row["sampler"], row["levels"], row["evaluations"]) == ("ddim", "linear", 50):
            panel.axhline(row["error"], color="0.75", zorder=0)
    panel.set_xscale("log")
    panel.set_yscale("log")
    counts = sorted({row["evaluations"] for row in rows})
    panel.set_xticks(counts, [str(it) for it in counts], minor=False)
    panel.minorticks_off()


if __name__ == "__main__":
    figures = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    draw(figures["rows"], Path(sys.argv[2]))
