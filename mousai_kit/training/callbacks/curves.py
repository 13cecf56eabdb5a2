"""Curves: the course of a training, as its log tells it, as a picture in its folder."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mousai_kit.core.files import write_bytes
from mousai_kit.training.callbacks.base import Callback, TrainerView

if TYPE_CHECKING:
    from matplotlib.axes import Axes


LIMIT = 2048
"""Bins of a series at most: a picture has no more columns."""

Line = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Drawn:
    """What there is to draw of a series, each with an item a bin: its middle step, the mean, the
    lowest and the highest value in it, and the mean of its neighbourhood.
    """

    steps: Line
    means: Line
    lowest: Line
    highest: Line
    smooth: Line


class BinnedSeries:
    """Values that are added by step, kept in equal bins; two become one where there are too many.

    A value that is not finite is left out.
    """

    def __init__(self) -> None:
        self.width = 1
        self._bins: dict[int, tuple[float, float, float, float]] = {}
        """By place: how many values, their sum, the lowest and the highest."""

    def add(self, step: int, value: float) -> None:
        """Add the value of a step (the first is 1)."""
        if not math.isfinite(value):
            return
        place = (step - 1) // self.width
        self._merge(place, 1, value, value, value)
        while place >= LIMIT:
            place //= 2
            before, self._bins, self.width = self._bins, {}, 2 * self.width
            for former, values in before.items():
                self._merge(former // 2, *values)

    def __len__(self) -> int:
        return len(self._bins)

    def curve(self, smoothing: float = 0.02) -> Drawn:
        """Return what there is to draw; `smoothing` is a share of the whole."""
        places = sorted(self._bins)
        count, total, lowest, highest = np.array([self._bins[place] for place in places]).T
        steps = (np.array(places) + 0.5) * self.width + 0.5
        smooth = _smooth(count, total, smoothing)
        return Drawn(steps, total / count, lowest, highest, smooth)

    def _merge(self, place: int, count: float, total: float, lowest: float, highest: float) -> None:
        """Add values, of which this is known, to a bin."""
        n, before, low, high = self._bins.get(place, (0, 0.0, math.inf, -math.inf))
        self._bins[place] = n + count, before + total, min(low, lowest), max(high, highest)


def _smooth(count: Line, total: Line, share: float) -> Line:
    """Return the mean of values around each bin, near ones counting more (a Hann window)."""
    reach = max(1, round(share * len(count)))
    window = np.hanning(2 * reach + 3)[1:-1]
    totals, counts = (
        np.convolve(item, window)[reach : reach + len(count)] for item in (total, count)
    )
    return np.asarray(totals / counts)


STEPPED = ("loss", "gradient_norm", "learning_rate")
"""What the log says of each step."""


class MetricsHistory:
    """Series of what changes from step to step, of validations by condition, and warnings."""

    def __init__(self) -> None:
        self.steps = {name: BinnedSeries() for name in STEPPED}
        self.validations: dict[str, BinnedSeries] = {}
        self.warnings: dict[int, str] = {}

    @classmethod
    def of(cls, log: Path) -> MetricsHistory:
        """Return what a log tells; a line that is broken tells nothing."""
        history = cls()
        if log.is_file():
            with log.open(encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    with suppress(ValueError, TypeError, KeyError, AttributeError):
                        told = json.loads(line)
                        history.add(told["step"], told)
        return history

    def add(self, step: int, told: Mapping[str, Any]) -> None:
        """Add what a line of the log says of a step."""
        for name, series in self.steps.items():
            series.add(step, _number(told.get(name)))
        for condition, loss in told.get("validation", {}).items():
            self.validations.setdefault(condition, BinnedSeries()).add(step, _number(loss))
        if "warning" in told:
            self.warnings[step] = str(told["warning"])


def _number(value: object) -> float:
    """Return a number; NaN for what is none."""
    return float(value) if isinstance(value, int | float) else math.nan


SHARE = 0.02
"""Share of the time that drawing may take while training goes on."""
FAR = 4.0
"""Times the range of what is learned from which on it would no longer be seen in a common one."""
FEWEST = 10
"""Steps that make a curve, at least."""
COLOURS = {"right": "#1b9e77", "other": "#d95f02", "none": "#7570b3"}
"""Of validations by condition."""
LOSS, WARNING, OTHERS = "#2166ac", "#b2182b", "#555555"


class CurvePlot(Callback):
    """Draws a picture at validations, if it is time to, and at the end."""

    task = "drawing the curves"

    def __init__(self, log: Path, picture: Path) -> None:
        self.path, self.picture = log, picture
        self._history = MetricsHistory()
        self._next = 0.0

    def on_train_start(self, training: TrainerView) -> None:
        """Read what was logged before."""
        self._history = MetricsHistory.of(self.path)

    def log(self, training: TrainerView, values: Mapping[str, Any]) -> None:
        """Add what is logged of a step."""
        self._history.add(training.step, values)

    def on_validation_end(self, training: TrainerView, losses: dict[str, float]) -> None:
        """Draw, if it is time to."""
        before = time.monotonic()
        if before >= self._next:
            self._draw(training)
            now = time.monotonic()
            self._next = now + (now - before) / SHARE

    def on_train_end(self, training: TrainerView) -> None:
        """Draw all."""
        self._draw(training)

    def _draw(self, training: TrainerView) -> None:
        if len(self._history.steps["loss"]) >= FEWEST:
            write_bytes(self.picture, draw_curves({training.name: self._history}))


def draw_curves(histories: Mapping[str, MetricsHistory]) -> bytes:
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
        _draw_smoothed(norm, history, "gradient_norm", other)
        _draw_smoothed(rate, history, "learning_rate", other)
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


def _loss(axes: Axes, history: MetricsHistory, colour: str, *, alone: bool, label: str) -> None:
    """Draw losses and warnings; the range is that of what is smooth, not of single steps."""
    found = history.steps["loss"].curve()
    if alone:
        axes.fill_between(found.steps, found.lowest, found.highest, color=colour, alpha=0.2, lw=0)
        axes.plot(found.steps, found.means, color=colour, alpha=0.35, lw=0.6)
    axes.plot(found.steps, found.smooth, color=colour, lw=1.8, label=label)
    if not alone:
        return
    for condition, series in history.validations.items():
        line = series.curve()
        marker = "o" if len(series) <= 60 else ""
        label, colour = f"validation, {condition}", COLOURS.get(condition, OTHERS)
        axes.plot(
            line.steps, line.means, color=colour, label=label, marker=marker, markersize=3, lw=1.2
        )
    for number, step in enumerate(history.warnings):
        axes.axvline(step, color=WARNING, lw=0.8, ls=":", label=None if number else "warning")


def _frame(axes: Axes, histories: Iterable[MetricsHistory]) -> None:
    """Let the axes hold what is smooth and nearly all steps; a single one may lie outside.

    Their scale is logarithmic where all of it is above 0, so that late progress is seen too; else
    where what a wrong condition costs is far beyond what is learned.
    """
    learned: list[float] = []
    told: list[float] = []
    for history in histories:
        found = history.steps["loss"].curve()
        nearly_all = np.quantile(found.means, (0.005, 0.995))
        learned += [*nearly_all, found.smooth.min(), found.smooth.max()]
        told += [
            value
            for validation in history.validations.values()
            for value in validation.curve().means
        ]
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


def _draw_smoothed(axes: Axes, history: MetricsHistory, name: str, colour: str) -> None:
    """Draw what changes from step to step; logs of earlier versions know no learning rate."""
    if len(history.steps[name]):
        found = history.steps[name].curve()
        axes.plot(found.steps, found.smooth, color=colour, lw=1.2)
