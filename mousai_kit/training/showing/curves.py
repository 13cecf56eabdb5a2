"""Curves: the course of a training as a picture in its folder."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mousai_kit import checkpoints
from mousai_kit.training.observing import Observer
from mousai_kit.training.showing.history import History
from mousai_kit.training.step import Taken

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mousai_kit.training.loop import Training

SHARE = 0.02
"""Share of the time that drawing may take while training goes on."""
FAR = 4.0
"""Times the range of what is learned from which on it would no longer be seen in a common one."""
FEWEST = 10
"""Steps that make a curve, at least."""
COLOURS = {"right": "#1b9e77", "other": "#d95f02", "none": "#7570b3"}
"""Of validations by condition."""
LOSS, WARNING, OTHERS = "#2166ac", "#b2182b", "#555555"


class Curves(Observer):
    """Draws a picture at validations, if it is time to, and at the end."""

    def __init__(self, log: Path, picture: Path) -> None:
        self.log, self.picture = log, picture
        self._history = History()
        self._next = 0.0

    def begun(self, training: Training) -> None:
        """Read what was logged before."""
        self._history = History.of(self.log)

    def stepped(self, training: Training, taken: Taken) -> None:
        """Add a step."""
        told = {"loss": taken.loss, "gradient_norm": taken.gradient_norm}
        self._history.add(training.step, {**told, "learning_rate": training.rate})

    def validated(self, training: Training, losses: dict[str, float]) -> None:
        """Add a validation, and draw."""
        self._history.add(training.step, {"validation": losses})
        before = time.monotonic()
        if before >= self._next:
            self._draw(training)
            now = time.monotonic()
            self._next = now + (now - before) / SHARE

    def warned(self, training: Training, warning: str) -> None:
        """Add a warning."""
        self._history.add(training.step, {"warning": warning})

    def ended(self, training: Training) -> None:
        """Draw all."""
        self._draw(training)

    def _draw(self, training: Training) -> None:
        if len(self._history.steps["loss"]) >= FEWEST:
            checkpoints.write_bytes(self.picture, drawn({training.name: self._history}))


def drawn(histories: Mapping[str, History]) -> bytes:
    """Return a picture (PNG) of one training, or of several in the same axes, by name.

    Loss (each step's light, smoothed dark), validations and warnings above, gradient norm and
    learning rate below. Validations and single steps are shown only where there is one training.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7))
    FigureCanvasAgg(figure)
    figure.subplots_adjust(left=0.08, right=0.98, top=0.95, bottom=0.07, hspace=0.08)
    loss, norm, rate = figure.subplots(3, 1, sharex=True, height_ratios=(5, 1.3, 1.3))
    alone = len(histories) == 1
    for number, (name, history) in enumerate(histories.items()):
        colour = LOSS if alone else f"C{number}"
        _loss(loss, history, colour, alone=alone, label="training" if alone else name)
        other = OTHERS if alone else colour
        _smoothed(norm, history, "gradient_norm", other)
        _smoothed(rate, history, "learning_rate", other)
    loss.set_title(" and ".join(histories), loc="left", fontsize=10)
    for axes, label in ((loss, "loss"), (norm, "gradient norm"), (rate, "learning rate")):
        axes.set_ylabel(label, fontsize=9)
        axes.grid(alpha=0.25, which="both", linewidth=0.5)
        axes.tick_params(labelsize=8, which="both")
        axes.margins(x=0.01)
    for axes in (norm, rate):
        axes.set_ylim(0, 1.15 * axes.get_ylim()[1])
    _frame(loss, histories.values())
    rate.set_xlabel("step", fontsize=9)
    rate.xaxis.set_major_formatter("{x:,.0f}")
    loss.legend(loc="upper right", fontsize=8)
    picture = BytesIO()
    figure.savefig(picture, dpi=100, format="png")
    return picture.getvalue()


def _loss(axes: Axes, history: History, colour: str, *, alone: bool, label: str) -> None:
    """Draw losses and warnings; the range is that of what is smooth, not of single steps."""
    found = history.steps["loss"].drawn()
    if alone:
        axes.fill_between(found.steps, found.lowest, found.highest, color=colour, alpha=0.2, lw=0)
        axes.plot(found.steps, found.means, color=colour, alpha=0.35, lw=0.6)
    axes.plot(found.steps, found.smooth, color=colour, lw=1.8, label=label)
    if not alone:
        return
    for condition, series in history.validations.items():
        line = series.drawn()
        marker = "o" if len(series) <= 60 else ""
        label, colour = f"validation, {condition}", COLOURS.get(condition, OTHERS)
        axes.plot(
            line.steps, line.means, color=colour, label=label, marker=marker, markersize=3, lw=1.2
        )
    for number, step in enumerate(history.warnings):
        axes.axvline(step, color=WARNING, lw=0.8, ls=":", label=None if number else "warning")


def _frame(axes: Axes, histories: Iterable[History]) -> None:
    """Let the axes hold what is smooth and nearly all steps; a single one may lie outside.

    Their scale is logarithmic where all of it is above 0, so that late progress is seen too; else
    where what a wrong condition costs is far beyond what is learned.
    """
    learned: list[float] = []
    told: list[float] = []
    for history in histories:
        found = history.steps["loss"].drawn()
        nearly_all = np.quantile(found.means, (0.005, 0.995))
        learned += [*nearly_all, found.smooth.min(), found.smooth.max()]
        told += [value for it in history.validations.values() for value in it.drawn().means]
    lowest, highest = min([*learned, *told]), max([*learned, *told])
    own = max(map(abs, learned))
    if lowest > 0:
        axes.set_ylim(lowest / 1.05, highest * 1.05)
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("{x:g}" if highest < 20 * lowest else "")
    elif 0 < FAR * own < highest - lowest:
        axes.set_yscale("symlog", linthresh=own, linscale=3)
        axes.set_ylim(lowest - 0.05 * own, highest * 1.2)
        axes.yaxis.set_major_formatter("{x:g}")
    elif lowest < highest:
        axes.set_ylim(lowest - 0.05 * (highest - lowest), highest + 0.05 * (highest - lowest))


def _smoothed(axes: Axes, history: History, name: str, colour: str) -> None:
    """Draw what changes from step to step; logs of earlier versions know no learning rate."""
    if len(history.steps[name]):
        found = history.steps[name].drawn()
        axes.plot(found.steps, found.smooth, color=colour, lw=1.2)
