"""Judging what a system makes of text: clips of the evaluation's prompts, against real music."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mousai_kit.core.console import Screen
from mousai_kit.core.errors import MousaiError, join_quoted
from mousai_kit.core.interfaces import ClipSet, Matrix, RealClips, SetMetric, Split, TextMetric
from mousai_kit.data.datasets import dataset
from mousai_kit.data.stage_data import StageData
from mousai_kit.evaluation.clip_sets import (
    AskedClip,
    asked_clips,
    distinct_captions,
    file_set,
    real_set,
)
from mousai_kit.evaluation.embedding_cache import EmbeddingCache
from mousai_kit.evaluation.made_clips import make_clips
from mousai_kit.evaluation.matrices import draw_matrix
from mousai_kit.evaluation.set_scores import (
    MetricScore,
    describe,
    left_out,
    metrics_of_sets,
    score_sets,
)
from mousai_kit.evaluation.tables import markdown_table
from mousai_kit.generation.generator import GenerationJob
from mousai_kit.recipe import Recipe
from mousai_kit.recipe.evaluate_options import Evaluate
from mousai_kit.runs.run import Run

FOLDER, CLIPS, EMBEDDINGS = "evaluation", "generated", "embeddings"
"""Folders of a run: of its evaluation, and in that of clips that it made and of their vectors."""


@dataclass(frozen=True, slots=True)
class GeneratedScores:
    """What metrics of sets and of texts say of clips that a system made."""

    asked: Sequence[AskedClip]
    files: Sequence[Path | None]
    """The clips' files; None for one that is silent, and was not written."""
    seconds: float
    guidance: float
    real: Mapping[Split, int]
    """Real clips that they were compared with, by split."""
    scores: Sequence[MetricScore]

    def to_json(self, folder: Path) -> dict[str, Any]:
        """Return it as plain values; files are named from `folder` on."""
        clips = [
            {
                "prompt": clip.prompt,
                "seed": clip.seed,
                "genre": clip.genre,
                "file": _from(folder, path),
            }
            for clip, path in zip(self.asked, self.files, strict=True)
        ]
        return {
            "clips": clips,
            "seconds": self.seconds,
            "guidance": self.guidance,
            "real": dict(self.real),
            "scores": [score.to_json() for score in self.scores],
        }


def _from(folder: Path, path: Path | None) -> str | None:
    if path is None:
        return None
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


def score_generated(system: Run) -> GeneratedScores | None:
    """Return how a system's clips of the evaluation's prompts are judged; None: no metric asks.

    The clips are written into the run's folder, where those that are there already are used.
    """
    recipe, settings = system.recipe, system.recipe.evaluate
    rate = recipe.audio.sample_rate
    metrics = metrics_of_sets([use.build(sample_rate=rate) for use in settings.metrics])
    if not metrics or not system.cascade.top.hears_text:
        return None
    folder = system.folder.path / FOLDER
    cache = EmbeddingCache(folder / EMBEDDINGS)
    metrics, missing = fetch_embeddings(metrics, system.screen)
    real = real_music(recipe, cache, system.screen, StageData.of(system).report_skipped)
    asked = asked_for(recipe)
    jobs = evaluation_jobs(recipe, asked, seconds=settings.seconds)
    files = make_clips(system, jobs, folder=folder / CLIPS)
    clips = file_set(files, asked, cache.embed, sample_rate=rate, channels=recipe.audio.channels)
    scores = [*score_sets(metrics, clips, real, cache, system.screen), *missing]
    return GeneratedScores(
        asked,
        files,
        settings.seconds,
        recipe.generate.guidance,
        {"train": len(real.train), "validation": len(real.validation)},
        scores,
    )


def fetch_embeddings(
    metrics: Sequence[SetMetric | TextMetric], screen: Screen
) -> tuple[list[SetMetric | TextMetric], list[MetricScore]]:
    """Fetch what metrics rest on; return those that can be asked, and why the others can't.

    That is told now, before anything that lasts.
    """
    able: list[SetMetric | TextMetric] = []
    missing: list[MetricScore] = []
    for metric in metrics:
        try:
            for embedding in metric.embeddings:
                embedding.download()
        except MousaiError as error:
            missing.append(left_out(metric, error, screen))
        else:
            able.append(metric)
    return able, missing


def asked_for(recipe: Recipe) -> list[AskedClip]:
    """Return the clips that an evaluation asks for: of its prompts, else of held-out captions."""
    settings = recipe.evaluate
    prompts: Any = settings.prompts
    if not prompts:
        samples = max(1, round(settings.seconds * recipe.audio.sample_rate))
        splits: tuple[Split, ...] = ("validation", "train")
        for split in splits:
            found = dataset(recipe, length=samples, split=split)
            prompts = distinct_captions(map(found.clip, range(len(found))), settings.generated)
            if prompts:
                break
    return asked_clips(prompts or [""], settings.generated)


def evaluation_jobs(
    recipe: Recipe, asked: Sequence[AskedClip], *, seconds: float
) -> list[GenerationJob]:
    """Return what is made of the prompts of an evaluation, as the recipe's `generate` says."""
    settings = recipe.generate
    return [
        GenerationJob(clip.prompt, clip.seed, seconds, settings.guidance, settings.controls)
        for clip in asked
    ]


def real_music(recipe: Recipe, cache: EmbeddingCache, screen: Screen, report: Any) -> RealClips:
    """Return the real clips of an evaluation, those learned from and those held out."""
    settings = recipe.evaluate
    samples = max(1, round(settings.seconds * recipe.audio.sample_rate))
    splits: tuple[Split, ...] = ("train", "validation")
    with screen.busy("reading real music"):
        train, validation = (
            real_set(
                dataset(recipe, length=samples, split=split),
                cache.embed,
                at_most=settings.real,
                genres=settings.genres,
                report=report,
            )
            for split in splits
        )
    _tell_genres(train, settings, screen)
    return RealClips(train, validation)


def _tell_genres(train: ClipSet, settings: Evaluate, screen: Screen) -> None:
    """Say which genres no real clip has, where clips are asked for by genre."""
    if lacking := [genre for genre in settings.genres if genre not in train.genres]:
        screen.print(
            f"real music: no training clip is of the genre {join_quoted(lacking)}, by its tag "
            "`genre` or its caption; name it in `evaluate.prompts` as the music does"
        )


def generated_section(found: GeneratedScores, folder: Path) -> str:
    """Return the part of a report on clips made from text, as Markdown; draw its tables."""
    prompts = len({clip.prompt for clip in found.asked})
    count = sum(path is not None for path in found.files)
    lines = [
        "## Clips made from text",
        "",
        (
            f"{count} clips of {found.seconds:g} s from {prompts} prompts, guidance "
            f"{found.guidance:g}, beside {found.real['train']} real clips to learn from and "
            f"{found.real['validation']} held out. Figures of few clips are rough, and those of "
            "different embeddings can't be compared."
        ),
        "",
        markdown_table(
            ["metric", "which way", "score", "beside", "rests on"], describe(found.scores)
        ),
        "",
    ]
    for score in found.scores:
        for number, matrix in enumerate(score.score.matrices if score.score else ()):
            lines += matrix_lines(matrix, score.metric, number, folder)
    return "\n".join(lines)


def matrix_lines(matrix: Matrix, metric: str, number: int, folder: Path) -> list[str]:
    """Return a table of shares as lines of Markdown, drawn into the evaluation's folder."""
    picture = folder / FOLDER / f"{metric}-{number + 1}.png"
    draw_matrix(picture, matrix)
    title = matrix.title or metric
    shares = [
        [name, *(f"{100 * share:.0f} %" if share else "" for share in row)]
        for name, row in zip(matrix.rows, matrix.shares, strict=True)
    ]
    return [
        f"### {title}",
        "",
        markdown_table(["", *matrix.columns], shares),
        "",
        f"![{title}]({FOLDER}/{picture.name})",
        "",
    ]
