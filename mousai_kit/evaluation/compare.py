"""Compare systems: the same prompts, seeds and seconds, judged by the same metrics."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mousai_kit.core.console import Screen
from mousai_kit.core.errors import RecipeError, RequestError, argument_error
from mousai_kit.core.files import atomic_write, check_folder
from mousai_kit.core.interfaces import Matrix, RealClips, SetMetric, TextMetric
from mousai_kit.evaluation.clip_sets import AskedClip, file_set
from mousai_kit.evaluation.comparison import Comparison, SystemResult, render_tables
from mousai_kit.evaluation.comparison_page import render_page
from mousai_kit.evaluation.embedding_cache import EmbeddingCache
from mousai_kit.evaluation.generated import (
    EMBEDDINGS,
    asked_for,
    evaluation_jobs,
    fetch_embeddings,
    real_music,
)
from mousai_kit.evaluation.made_clips import make_clips
from mousai_kit.evaluation.matrices import draw_matrices
from mousai_kit.evaluation.set_scores import (
    metrics_of_sets,
    score_sets,
)
from mousai_kit.evaluation.speed import measure_speed_alone
from mousai_kit.models.cascade import Cascade
from mousai_kit.recipe import Recipe
from mousai_kit.runs.resolve import resolve_run
from mousai_kit.runs.run import Run
from mousai_kit.training.checks import why_no_genres

CLIPS, PAGE, TABLE, VALUES = "clips", "index.html", "compare.md", "compare.json"
"""What a comparison's folder holds."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A system that is compared: what the user called it, and facts of it."""

    name: str
    target: str
    recipe: Recipe
    hours: float | None = None
    """Hours of music that it learned from, where that is known."""


def contestants(targets: Sequence[str]) -> list[Contestant]:
    """Return the systems that words mean, each trained whole, under names that differ.

    RequestError where there are fewer than two, or one makes nothing from text; an error where one
    is no system or not trained.
    """
    if len(targets) < 2:
        raise RequestError("there is nothing to compare; name two runs or more")
    found: list[Contestant] = []
    for target in targets:
        recipe, folder = resolve_run(target, None)
        folder.check_trained(recipe)
        if not Cascade.build(recipe, device="meta").top.hears_text:
            told = "makes no music from text, which is what is compared; leave it out"
            raise RequestError.about(target, told)
        stem = name = folder.path.resolve().name
        number = 2
        while name in {system.name for system in found}:
            name, number = f"{stem}-{number}", number + 1
        found.append(Contestant(name, target, recipe))
    return found


def check_out(out: Path) -> None:
    """Raise RequestError where a comparison can't be written into a folder, or would replace what
    no comparison wrote.
    """
    if not out.parts:
        raise argument_error("out", "must name a folder")
    check_folder(out)
    if not any((out / name).exists() for name in (PAGE, TABLE, VALUES)):
        return
    try:
        ours = "systems" in json.loads((out / VALUES).read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        ours = False
    if not ours:
        told = f"holds an {PAGE}, {TABLE} or {VALUES} that no comparison wrote; name another folder"
        raise RequestError.about(out, told)


def check_weights(systems: Sequence[Contestant]) -> None:
    """Load each system once, and raise WeightsError where one's weights can't be used."""
    for system in systems:
        recipe, folder = resolve_run(system.target, None)
        Run(recipe, folder, Screen(quiet=True)).load()


def check_judge(judge: Recipe) -> None:
    """Raise RecipeError where what a recipe's `evaluate` says can't judge clips."""
    faults = [
        problem
        for number, metric in enumerate(judge.evaluate.metrics)
        if (told := why_no_genres(judge, metric.component))
        for problem in judge.error_at(("evaluate", "metrics", number), told).problems
    ]
    if faults:
        raise RecipeError(*faults)


def judges(recipe: Recipe) -> bool:
    """Return whether a recipe has metrics of clips that are made from text."""
    found = (use.component for use in recipe.evaluate.metrics)
    return any(issubclass(metric, SetMetric | TextMetric) for metric in found)


def default_metrics(recipe: Recipe) -> str:
    """Return the metrics, as `--set` takes them, of a recipe that has none of clips from text."""
    names = ["frechet-distance", "nearest-training-clip"]
    names += ["genre-confusion"] if len(recipe.evaluate.genres) > 1 else []
    return f"evaluate.metrics=[{', '.join(names)}]"


def compare(
    systems: Sequence[Contestant],
    judge: Recipe,
    out: Path,
    screen: Screen,
    *,
    timed_seconds: float = 0.0,
) -> Comparison:
    """Return systems side by side, and write all of it into a folder.

    `judge` says with its `evaluate` and `data` what they are asked for, by what they are judged and
    against which music. Clips that are in the folder already are used again. With `timed_seconds`
    each makes one clip of that length on its own, against the clock.
    """
    metrics, missing = fetch_embeddings(
        metrics_of_sets(
            [use.build(sample_rate=judge.audio.sample_rate) for use in judge.evaluate.metrics]
        ),
        screen,
    )
    cache = EmbeddingCache(out / EMBEDDINGS)
    real = real_music(judge, cache, screen, screen.print)
    asked = asked_for(judge)
    results = []
    for system in systems:
        facts, files = _make(system, judge, asked, out, screen)
        clips = file_set(
            files,
            asked,
            cache.embed,
            sample_rate=judge.audio.sample_rate,
            channels=judge.audio.channels,
        )
        scores = [*score_sets(metrics, clips, real, cache, screen), *missing]
        speed = None
        if timed_seconds:
            with screen.busy(f"{system.name}: {timed_seconds:g} s against the clock"):
                speed = measure_speed_alone(system.target, timed_seconds)
        results.append(SystemResult(system.name, facts, files, scores, speed))
    found = Comparison(asked, judge.evaluate.seconds, _counts(real), results)
    _write(found, out)
    return found


def _counts(real: RealClips) -> dict[str, int]:
    return {"train": len(real.train), "validation": len(real.validation)}


def _make(
    system: Contestant, judge: Recipe, asked: Sequence[AskedClip], out: Path, screen: Screen
) -> tuple[dict[str, Any], list[Path | None]]:
    """Return a system's facts, and its clips' files, None where one is silent."""
    recipe, folder = resolve_run(system.target, None)
    run = Run(recipe, folder, screen, to_load=True).load_for_inference()
    rate = judge.audio.sample_rate
    if recipe.audio.sample_rate != rate:
        screen.print(
            f"{system.name}: makes {recipe.audio.sample_rate} Hz; resampled to {rate} Hz where it "
            "is judged"
        )
    if recipe.audio.channels != judge.audio.channels:
        screen.print(
            f"{system.name}: makes {recipe.audio.channels} channels; judged as "
            f"{judge.audio.channels}"
        )
    jobs = evaluation_jobs(recipe, asked, seconds=judge.evaluate.seconds)
    screen.print(f"{system.name}: {len(jobs)} clips of {judge.evaluate.seconds:g} s")
    files = make_clips(run, jobs, folder=out / CLIPS / system.name)
    return _facts(system, run), files


def _facts(system: Contestant, run: Run) -> dict[str, Any]:
    """Return what the paper's table tells of a system."""
    recipe, cascade = run.recipe, run.cascade
    known = cascade.conditions_type
    inputs = ["text", *(known.model_fields if known else ())]
    top = recipe.stages[next(reversed(recipe.stages))]
    return {
        "recipe": recipe.name,
        "sample_rate": recipe.audio.sample_rate,
        "channels": recipe.audio.channels,
        "context_seconds": top.train.length / recipe.audio.sample_rate,
        "input": ", ".join(inputs),
        "guidance": recipe.generate.guidance,
        "evaluations": cascade.nfe,
        "hours": system.hours,
        "parameters": sum(
            parameter.numel()
            for stage in cascade.stages.values()
            for parameter in stage.parameters()
        ),
    }


def _write(found: Comparison, out: Path) -> None:
    """Write the values, the tables, the pictures of matrices and the page."""
    out.mkdir(parents=True, exist_ok=True)
    pictures = _draw_matrices(found, out)
    texts = {
        VALUES: json.dumps(found.to_json(out), indent=2) + "\n",
        TABLE: render_tables(found, pictures),
        PAGE: render_page(found, out, pictures),
    }
    for name, text in texts.items():
        with atomic_write(out / name) as file:
            file.write(text.encode())


def _draw_matrices(found: Comparison, out: Path) -> dict[str, str]:
    """Draw matrices of one title side by side, once where all are one; return files by title."""
    panels: dict[str, dict[str, Matrix]] = {}
    for system in found.systems:
        for score in system.scores:
            for matrix in score.score.matrices if score.score else ():
                panels.setdefault(f"{score.label}: {matrix.title}", {})[system.name] = matrix
    pictures = {}
    for number, (title, matrices) in enumerate(panels.items(), 1):
        pictures[title] = f"matrices-{number}.png"
        (first, *others) = matrices.values()
        alike = others and all(other == first for other in others)
        draw_matrices(out / pictures[title], {"every system": first} if alike else matrices)
    return pictures
