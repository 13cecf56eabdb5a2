"""Training as it stands: what its run folder tells, whoever trains in it."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mousai_kit.core.errors import MousaiError
from mousai_kit.core.files import write_bytes
from mousai_kit.recipe import RECIPE
from mousai_kit.training.callbacks.curves import FEWEST, MetricsHistory, draw_curves

LOG = "log.jsonl"
LAST_LINES = 12
"""Lines of output that are shown."""
LAST_BYTES = 2**19
"""Bytes of a log, or of output, that are read at its end."""
MEAN_OF = 100
"""Steps whose loss is told as a mean, as `run` does."""
WARNINGS, DEMOS = 5, 4
"""How many are shown, the newest."""
DRAWN_EVERY = 10.0
"""Seconds between two pictures of a training's curves, at least."""
DRAWING_SHARE = 0.02
"""Share of the time that drawing may take."""


@dataclass(frozen=True, slots=True)
class TrainingView:
    """A training as it stands."""

    name: str
    running: bool
    ours: bool
    """Whether a studio started it."""
    steerable: bool
    """Whether it can be stopped, or where it does not run go on, from here."""
    playable: bool
    """Whether there is something of it to make music with."""
    step: int
    steps: int | None
    """How many it is to have; None where that is not known yet."""
    told: str
    """What its log says, then what it said last."""
    warnings: tuple[str, ...]
    curves: Path | None
    demos: tuple[Path, ...]
    """The newest ones."""


@dataclass(frozen=True, slots=True)
class TrainingLog:
    """The log that was written last in a run folder, as far as its end tells."""

    path: Path | None
    values: list[dict[str, Any]]
    steps: int | None

    @classmethod
    def newest(cls, run: Path) -> TrainingLog:
        """Return the log of the stage that was trained last; an empty one where there is none."""
        logs: dict[float, Path] = {}
        for path in run.glob(f"*/{LOG}"):
            with suppress(OSError):  # it was removed meanwhile
                logs[path.stat().st_mtime] = path
        if not logs:
            return cls(None, [], None)
        path = logs[max(logs)]
        values = []
        for line in _last_text(path).splitlines():
            with suppress(ValueError):  # a line that is being written
                told = json.loads(line)
                if isinstance(told, dict) and isinstance(told.get("step"), int):
                    values.append(told)
        return cls(path, values, _steps(run, path.parent.name))

    @property
    def stage(self) -> str:
        """Return the stage that it is of."""
        return self.path.parent.name if self.path else ""

    @property
    def step(self) -> int:
        """Return the step that was taken last."""
        return int(self.values[-1]["step"]) if self.values else 0

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what was warned of last."""
        found = [str(value["warning"]) for value in self.values if "warning" in value]
        return tuple(found[-WARNINGS:])

    def describe(self, *, running: bool) -> str:
        """Return what it says, in one line."""
        taken = [value for value in self.values if isinstance(value.get("loss"), int | float)]
        if not taken:
            return "nothing is logged yet"
        last = taken[-MEAN_OF:]
        mean = sum(value["loss"] for value in last) / len(last)
        of = f" of {self.steps}" if self.steps else ""
        told = f"{self.stage}: step {self.step}{of}, loss {mean:.4g} (mean of the last {len(last)})"
        left = self._seconds_left(last) if running else None
        return told if not left else f"{told}, about {_minutes(left)} left"

    def _seconds_left(self, last: Sequence[dict[str, Any]]) -> float | None:
        """Return how long the steps that are left take at the speed of the last ones."""
        first, final = last[0], last[-1]
        taken = final["step"] - first["step"]
        if self.steps is None or taken <= 0 or not {"seconds"} <= first.keys() & final.keys():
            return None
        return float((final["seconds"] - first["seconds"]) / taken * (self.steps - self.step))


class CurvePictures:
    """Pictures of trainings' curves: a run's own, or where that is old one that is drawn here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._next: dict[Path, float] = {}

    def find(self, name: str, log: TrainingLog) -> Path | None:
        """Return a picture of a training; None where nothing can be drawn yet."""
        if log.path is None:
            return None
        own, drawn = log.path.with_name("loss.png"), self.folder / f"{Path(name).name}.png"
        with suppress(OSError, MousaiError):
            self._draw(log, own, drawn)
        found = [(path.stat().st_mtime, path) for path in (own, drawn) if path.is_file()]
        return max(found)[1] if found else None

    def _draw(self, log: TrainingLog, own: Path, drawn: Path) -> None:
        """Draw what the log says, if it says more than the pictures and it is time to."""
        assert log.path is not None
        began = time.monotonic()
        pictures = [path.stat().st_mtime for path in (own, drawn) if path.is_file()]
        is_shown = max(pictures, default=0.0) > log.path.stat().st_mtime
        if is_shown or began < self._next.get(drawn, 0.0):
            return
        history = MetricsHistory.of(log.path)
        if len(history.steps["loss"]) < FEWEST:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        write_bytes(drawn, draw_curves({log.stage: history}))
        took = time.monotonic() - began
        self._next[drawn] = began + max(DRAWN_EVERY, took / DRAWING_SHARE)


def newest_demos(log: TrainingLog) -> tuple[Path, ...]:
    """Return the demos that were made last."""
    if log.path is None:
        return ()
    for step in sorted(log.path.parent.glob("demos/step-*"), reverse=True):
        if found := sorted(step.glob("[!.]*.flac")):
            return tuple(found[:DEMOS])
    return ()


def last_lines(file: Path) -> str:
    """Return what a training said last; empty where it said nothing."""
    if not file.is_file():
        return ""
    lines = filter(str.strip, _last_text(file).splitlines())
    return "\n".join([*lines][-LAST_LINES:])


def stages_in(run: Path) -> dict[str, Any]:
    """Return what a run's recipe says of its stages; empty where there is none that can be read."""
    with suppress(OSError, ValueError, yaml.YAMLError):
        found = yaml.safe_load((run / RECIPE).read_text(encoding="utf-8"))
        stages = found.get("stages") if isinstance(found, dict) else None
        return stages if isinstance(stages, dict) else {}
    return {}


def _steps(run: Path, stage: str) -> int | None:
    """Return how many steps a run's recipe asks for."""
    part = stages_in(run).get(stage)
    train = part.get("train") if isinstance(part, dict) else None
    steps = train.get("steps") if isinstance(train, dict) else None
    return steps if isinstance(steps, int) else None


def _last_text(file: Path) -> str:
    """Return the end of a text file, from the first whole line on."""
    try:
        with file.open("rb") as opened:
            size = opened.seek(0, 2)
            opened.seek(max(0, size - LAST_BYTES))
            data = opened.read()
    except OSError:
        return ""
    if size > LAST_BYTES:
        data = data.partition(b"\n")[2]
    return data.decode("utf-8", errors="replace")


def _minutes(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole} s" if whole < 100 else f"{round(whole / 60)} min"
