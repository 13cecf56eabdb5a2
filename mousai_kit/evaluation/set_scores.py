"""Scores of sets: metrics of all clips that a system makes, and of clips and their prompts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from statistics import fmean
from typing import Any, cast

from mousai_kit.core.console import Screen
from mousai_kit.core.errors import MousaiError, RequestError
from mousai_kit.core.interfaces import ClipSet, Metric, RealClips, SetMetric, SetScore, TextMetric
from mousai_kit.evaluation.embedding_cache import EmbeddingCache
from mousai_kit.evaluation.tables import cell

AnyMetric = Metric[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class MetricScore:
    """What a metric of sets or of texts says of a system's clips, or why it says nothing."""

    metric: str
    """Name of the metric."""
    label: str
    """Name with what it rests on: figures of other labels can't be compared with it."""
    unit: str
    better: str
    score: SetScore | None
    reason: str = ""
    """Why there is no score."""

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        score = plain.pop("score")
        return plain | (score or {})


def pair_metrics(metrics: Sequence[AnyMetric]) -> list[Metric]:
    """Return those that compare a clip with its original."""
    return [
        cast("Metric", metric)
        for metric in metrics
        if not isinstance(metric, SetMetric | TextMetric)
    ]


def metrics_of_sets(metrics: Sequence[AnyMetric]) -> list[SetMetric | TextMetric]:
    """Return those that judge clips made from text."""
    return [metric for metric in metrics if isinstance(metric, SetMetric | TextMetric)]


def score_sets(
    metrics: Sequence[SetMetric | TextMetric],
    made: ClipSet,
    real: RealClips,
    cache: EmbeddingCache,
    screen: Screen,
) -> list[MetricScore]:
    """Return what each metric says of clips; what it can't say is told, and the others go on.

    `cache` is what embeds the clips of these sets.
    """
    scores = []
    for metric in metrics:
        clips = len(made) + len(real.train) + len(real.validation)
        with screen.bar(metric.label, clips, stays=False) as bar:
            cache.tick = bar.advance
            scores.append(_score(metric, made, real, screen))
        cache.save()
    return scores


def left_out(
    metric: SetMetric | TextMetric, reason: Exception | str, screen: Screen
) -> MetricScore:
    """Return that a metric says nothing, and say why."""
    line = "; ".join(str(reason).splitlines()).removeprefix(f"{metric.name}: ")
    screen.print(f"{metric.label}: left out: {line}")
    return MetricScore(metric.name, metric.label, metric.unit, metric.better, None, line)


def _score(
    metric: SetMetric | TextMetric, made: ClipSet, real: RealClips, screen: Screen
) -> MetricScore:
    try:
        if isinstance(metric, SetMetric):
            score = metric.score(made, real)
        else:
            score = _score_texts(metric, made, real)
    except MousaiError as error:
        return left_out(metric, error, screen)
    if not all(map(isfinite, (score.value, *score.beside.values()))):
        return left_out(metric, "its figures are not finite (NaN or infinity)", screen)
    return MetricScore(metric.name, metric.label, metric.unit, metric.better, score)


def _score_texts(metric: TextMetric, made: ClipSet, real: RealClips) -> SetScore:
    """Return the mean of clips with their prompts; beside it with other prompts, and of real clips.

    Another's prompt is the next one that differs.
    """
    if not len(made):
        raise RequestError("there is no clip to judge: all that was made is silent")
    prompts = made.prompts
    beside = {}
    others = [next(_others(prompts, number), None) for number in range(len(prompts))]
    if others and None not in others:
        beside["another's prompt"] = fmean(metric.score(made, cast("list[str]", others)))
    held_out = real.validation if len(real.validation) else real.train
    if len(held_out):
        beside["real music"] = fmean(metric.score(held_out, held_out.prompts))
    return SetScore(
        fmean(metric.score(made, prompts)), beside, f"{len(made)} clips, {len(held_out)} real ones"
    )


def _others(prompts: Sequence[str], number: int) -> Iterator[str]:
    """Yield the prompts that differ from one, those behind it first."""
    turned = [*prompts[number:], *prompts[:number]]
    return (text for text in turned if text != prompts[number])


def describe(scores: Sequence[MetricScore]) -> list[list[str]]:
    """Return a row for each metric: its name, the score, what is beside it and what it rests on."""
    return [
        [
            f"{score.label}{f' ({score.unit})' if score.unit else ''}",
            f"{score.better} is better",
            "-" if score.score is None else format_figure(score.score.value),
            describe_beside(score.score.beside) if score.score else "",
            cell(score.score.note if score.score else f"left out: {score.reason}"),
        ]
        for score in scores
    ]


def format_figure(value: float) -> str:
    """Return a figure with as many digits as say something: 2,253, 46.9, 0.695."""
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 10 else 3
    return f"{value:z,.{digits}f}"


def describe_beside(beside: Mapping[str, float]) -> str:
    """Return further figures in a line."""
    return ", ".join(f"{name} {format_figure(value)}" for name, value in beside.items())


def describe_line(score: Mapping[str, Any]) -> str:
    """Return a score as a report has it, in a line."""
    beside = f" ({describe_beside(score['beside'])})" if score["beside"] else ""
    return f"clips made from text: {score['label']}: {format_figure(score['value'])}{beside}"
