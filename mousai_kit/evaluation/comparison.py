"""Comparison: what systems made of the same prompts and seeds, and its tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mousai_kit.evaluation.clip_sets import AskedClip
from mousai_kit.evaluation.set_scores import MetricScore, describe_beside, format_figure
from mousai_kit.evaluation.speed import Speed
from mousai_kit.evaluation.tables import cell, markdown_table


@dataclass(frozen=True, slots=True)
class SystemResult:
    """What one system made, what is said of it, and its row of facts."""

    name: str
    facts: dict[str, Any]
    """Sample rate (Hz), channels, longest context (s), input, parameters, hours."""
    files: Sequence[Path | None]
    """Its clips; None for one that is silent, and was not written."""
    scores: Sequence[MetricScore]
    speed: Speed | str | None
    """Of one clip; a line where it could not be measured, None where it was not asked for."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Systems side by side."""

    asked: Sequence[AskedClip]
    seconds: float
    real: dict[str, int]
    systems: Sequence[SystemResult]

    def to_json(self, folder: Path) -> dict[str, Any]:
        """Return it as plain values; files are named from `folder` on."""
        return {
            "seconds": self.seconds,
            "real": self.real,
            "clips": [asdict(clip) for clip in self.asked],
            "systems": [
                {
                    "name": system.name,
                    "facts": system.facts,
                    "files": [
                        path and path.relative_to(folder).as_posix() for path in system.files
                    ],
                    "scores": [score.to_json() for score in system.scores],
                    "speed": asdict(system.speed)
                    if isinstance(system.speed, Speed)
                    else system.speed,
                }
                for system in self.systems
            ],
        }


def render_tables(found: Comparison, pictures: dict[str, str]) -> str:
    """Return a comparison as Markdown."""
    names = [system.name for system in found.systems]
    lines = [
        "# Compared",
        "",
        (
            f"{len(found.asked)} clips of {found.seconds:g} s each, the same prompts and seeds; "
            f"real music: {found.real['train']} clips to learn from, {found.real['validation']} "
            "held out."
        ),
        "",
        markdown_table(["", *map(cell, names)], score_rows(found)),
        "",
        markdown_table(["", *map(cell, names)], fact_rows(found)),
        "",
        *(f"![{title}]({file})\n" for title, file in pictures.items()),
    ]
    return "\n".join(lines)


def score_rows(found: Comparison) -> list[list[str]]:
    """Return a row for each metric, with a figure for each system; labels that differ are apart."""
    labels = dict.fromkeys(score.label for system in found.systems for score in system.scores)
    rows = []
    for label in labels:
        scores = [_score_of(system, label) for system in found.systems]
        first = next(score for score in scores if score is not None)
        unit = f", {first.unit}" if first.unit else ""
        rows.append([f"{label} ({first.better} is better{unit})", *map(_score_cell, scores)])
    return rows


def _score_of(system: SystemResult, label: str) -> MetricScore | None:
    return next((score for score in system.scores if score.label == label), None)


def _score_cell(score: MetricScore | None) -> str:
    if score is None:
        return "-"
    if score.score is None:
        return f"left out: {score.reason}"
    beside = describe_beside(score.score.beside)
    return f"{format_figure(score.score.value)}{f' ({beside})' if beside else ''}"


def fact_rows(found: Comparison) -> list[list[str]]:
    """Return the paper's table, turned: a row for each fact, a column for each system."""
    rows: dict[str, Callable[[dict[str, Any]], str]] = {
        "sample rate": lambda facts: f"{facts['sample_rate']} Hz, {_channels(facts['channels'])}",
        "longest context": lambda facts: f"{facts['context_seconds']:.1f} s",
        "input": lambda facts: facts["input"],
        "guidance": lambda facts: f"{facts['guidance']:g}",
        "evaluations of the networks": lambda facts: " + ".join(
            map(str, reversed(facts["evaluations"].values()))
        ),
        "parameters": lambda facts: f"{facts['parameters'] / 1e6:.1f} M",
        "training music": lambda facts: (
            "not known" if facts["hours"] is None else f"{facts['hours']:.3g} h"
        ),
    }
    told = [
        [name, *(tell(system.facts) for system in found.systems)] for name, tell in rows.items()
    ]
    return told + _speed_rows([system.speed for system in found.systems])


def _speed_rows(speeds: Sequence[Speed | str | None]) -> list[list[str]]:
    """Return rows of time and memory; none where nothing was timed."""
    if all(speed is None for speed in speeds):
        return []
    rows: dict[str, Callable[[Speed], str]] = {
        "time": lambda speed: f"{speed.seconds:.1f} s for {speed.audio_seconds:g} s",
        "real-time factor": lambda speed: f"{speed.real_time_factor:.3f}",
        "peak memory": lambda speed: f"{speed.peak_memory / 1e9:.2f} GB",
        "on": lambda speed: f"{speed.device}, {speed.threads} threads",
    }
    return [
        [name, *(tell(speed) if isinstance(speed, Speed) else (speed or "-") for speed in speeds)]
        for name, tell in rows.items()
    ]


def _channels(count: int) -> str:
    return {1: "mono", 2: "stereo"}.get(count, f"{count} channels")
