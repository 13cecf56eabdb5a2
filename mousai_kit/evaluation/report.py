"""The report of a run: evidence that each stage listens, as Markdown, JSON and pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from math import isfinite
from pathlib import Path
from shlex import quote
from typing import Any

from mousai_kit.core.errors import Problem, WeightsError
from mousai_kit.core.interfaces import GenerationRequest, Split
from mousai_kit.core.spin_wait import sleep_if_contended
from mousai_kit.data.datasets import dataset, one_clip_per_track
from mousai_kit.data.stage_data import StageData
from mousai_kit.evaluation.evaluation import (
    VARIANTS,
    Evaluation,
    ReconstructionScores,
    drafting,
    render_markdown,
    worse_than_drafts,
)
from mousai_kit.evaluation.generated import generated_section, score_generated
from mousai_kit.evaluation.set_scores import describe_line, pair_metrics
from mousai_kit.models.cascade import Cascade
from mousai_kit.runs import checkpoint
from mousai_kit.runs.run import Run
from mousai_kit.training.finetuning import ON_TOP, FineTuning, has_trainable, own_music
from mousai_kit.training.validation import AT_LEAST, draws

SPLITS: tuple[Split, ...] = ("validation", "train")
DRAWS = 128
"""Draws that tell the loss of a stage that was trained here; given weights have fewer."""
YOUR_MUSIC = "--set data.use=folder --set data.path=~/Music --out runs/mine"
ON_YOURS = "--set data.path=~/Music"


@sleep_if_contended()
def write_report(system: Run) -> dict[str, Any]:
    """Evaluate a trained system and write report.md, report.json and evaluation/*.png.

    Where the folder holds a report of the same weights and recipe, that one is returned.
    WeightsError, and no report, where a figure is not finite.
    """
    made_from = _made_from(system)
    if (kept := _saved_report(system)) is not None and kept["made_from"] == made_from:
        return kept
    decoded = _reconstructions(system)
    heard = _losses(system)
    made = score_generated(system)
    values: dict[str, Any] = {
        "made_from": made_from,
        "decoded": [
            {"stage": part.stage, "split": part.split, "clips": part.sources, **part.scores}
            for part in decoded
        ],
        "loss": heard,
        "generated": made.to_json(system.folder.path) if made else None,
    }
    _check_finite(decoded, heard)
    metrics = [use.component for use in system.recipe.evaluate.metrics]
    warnings = worse_than_drafts(decoded, {metric.name: metric.better for metric in metrics})
    for line in warnings:
        system.screen.print(line)
    units = {metric.name: metric.unit for metric in metrics}
    text = render_markdown(f"Report of {system.recipe.name}", decoded, heard, units)
    text += "".join(f"\n- {line}\n" for line in warnings)
    text += f"\n{generated_section(made, system.folder.path)}" if made else ""
    system.folder.write("report.md", text + _imports_section(system) + _training_section(system))
    system.folder.write("report.json", json.dumps(values, indent=2) + "\n")
    return values


def _check_finite(
    decoded: Sequence[ReconstructionScores], losses: Mapping[str, Mapping[str, dict[str, float]]]
) -> None:
    """Raise WeightsError where a figure of a report is not finite."""
    figures = [
        (part.stage, f"{metric} on {part.split} clips", [*chain(*ways.values())])
        for part in decoded
        for metric, ways in part.scores.items()
    ] + [
        (stage, f"loss on {split} clips", [*values.values()])
        for stage, splits in losses.items()
        for split, values in splits.items()
    ]
    bad = [(stage, what) for stage, what, values in figures if not all(map(isfinite, values))]
    told = "is not finite (NaN or infinity), so no report was written; the weights are broken: "
    todo = "train anew with a lower `learning_rate` or `precision: fp32`"
    if bad:
        raise WeightsError(*(Problem(stage, "", f"{what} {told}{todo}") for stage, what in bad))


def closing_message(
    system: Run, figures: dict[str, Any], clips: Sequence[Path], *, source: str
) -> str:
    """Return the last message of a run: what was heard, where everything is, what to try next.

    `source` is the recipe as the user named it.
    """
    folder = system.folder.path
    lines = ["", *_score_lines(figures), ""]
    if clips:
        lines += ["Music, each with a mel picture beside it:", *(f"  {path}" for path in clips), ""]
    lines += [
        f"Report:   {folder / 'report.md'}  (pictures in {folder / 'evaluation'})",
        f"Weights:  {folder}/<stage>/weights.safetensors",
        "",
        "Try next:",
        *(f"  mousai-kit {command}" for command in _next(system, source)),
    ]
    return "\n".join(lines)


def _next(system: Run, source: str) -> Iterator[str]:
    """Yield the commands that a trained system is good for."""
    folder = quote(str(system.folder.path))
    if system.cascade.top.hears_text:
        yield f'generate {folder} "your own words" --seconds 20 --seed 7'
    if system.autoencoder_stages:
        yield f"reconstruct {folder} some-music.flac"
    if not own_music(system.recipe):
        trains = has_trainable(system.recipe, system.cascade)
        yield f"run {quote(source)} {YOUR_MUSIC}" if trains else f"run {ON_TOP} {ON_YOURS}"


def _score_lines(figures: dict[str, Any]) -> list[str]:
    """Return a line for each stage on whether it listens."""
    lines = []
    for part in figures["decoded"]:
        for metric, ways in part.items():
            if isinstance(ways, dict):
                means = {way: sum(scores) / len(scores) for way, scores in ways.items()}
                told = ", ".join(f"{way} {mean:z.2f}" for way, mean in means.items())
                lines.append(f"{part['stage']}: {metric} on {part['split']} clips: {told}")
    for stage, splits in figures["loss"].items():
        for split, values in splits.items():
            told = ", ".join(f"{way} {value:.4f}" for way, value in values.items())
            lines.append(f"{stage}: loss on {split} clips by caption: {told}")
    made = figures.get("generated") or {"scores": []}  # earlier versions' reports have none
    return [*lines, *(describe_line(score) for score in made["scores"] if "value" in score)]


def _reconstructions(system: Run) -> list[ReconstructionScores]:
    """Return how every stage that encodes brings held-out and training clips back."""
    rate, settings = system.recipe.audio.sample_rate, system.recipe.evaluate
    metrics = pair_metrics([use.build(sample_rate=rate) for use in settings.metrics])
    pictures = system.folder.path / "evaluation"
    pictures.mkdir(parents=True, exist_ok=True)
    names = [
        name for name, stage in system.cascade.stages.items() if stage.latent_space is not None
    ]
    results: list[ReconstructionScores] = []
    samples = max(1, round(settings.seconds * rate))
    asked = GenerationRequest([""], [0], samples, window=system.recipe.window_samples)
    total = sum(_reports(system.cascade, asked, name) for name in names)
    with system.screen.bar("evaluating", total * len(SPLITS)) as bar:
        evaluation = Evaluation(
            system.cascade,
            system.untrained_copy(),
            metrics,
            seed=system.recipe.seed,
            tick=bar.advance,
            window=system.recipe.window_samples,
        )
        for name in names:
            for split in SPLITS:
                found = dataset(system.recipe, length=samples, split=split)
                clips = one_clip_per_track(
                    found, StageData.of(system).report_skipped, at_most=settings.clips
                )
                if clips:
                    results.append(evaluation.decode(name, split, clips, pictures))
    return results


def _reports(cascade: Cascade, asked: GenerationRequest, name: str) -> int:
    """Return about how often progress is reported where a stage is heard in all ways."""
    draft = drafting(cascade, name)
    drafted = 0 if draft is None else draft.reports(asked, top=name)
    return drafted + len(VARIANTS) * cascade.reports(asked, top=name)


def _losses(system: Run) -> dict[str, dict[str, dict[str, float]]]:
    """Return the loss with the right, another's and no caption of stages that follow a text."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    stages = system.cascade.stages
    for name in (item for item in system.evaluable_stages if stages[item].hears_text):
        stage = stages[name]
        header = system.folder.provenance(system.recipe, name)
        learned = FineTuning(system.recipe, name, stage).learns
        found[name] = {}
        for split in SPLITS:
            clips = StageData.of(system).clips(name, header, split)
            if clips is not None:
                precision = system.recipe.stages[name].train.precision
                values = draws(
                    stage,
                    clips,
                    seed=system.recipe.seed,
                    precision=precision,
                    at_least=DRAWS if learned else AT_LEAST,
                    screen=system.screen,
                )
                found[name][split] = {key: round(value, 5) for key, value in values.means.items()}
    return found


def _imports_section(system: Run) -> str:
    """Return where imported weights are from, as Markdown; empty where all were trained here."""
    found = {name: system.folder.stage(name).origin for name in system.evaluable_stages}
    lines = [f"- {name}: {origin}" for name, origin in found.items() if origin]
    return "\n".join(["", "## Imported weights", "", *lines, ""]) if lines else ""


def _training_section(system: Run) -> str:
    """Return the curves and the last demos of stages that were trained here, as Markdown."""
    lines: list[str] = []
    for name in system.evaluable_stages:
        files = system.folder.stage(name)
        if files.curves.is_file():
            lines += [f"![The course of {name}'s training]({name}/{files.curves.name})", ""]
        if demos := sorted(files.demos.glob("step-*")):
            where = demos[-1].relative_to(system.folder.path)
            lines += [f"What {name} made in training: [{demos[-1].name}]({where}), and before.", ""]
        lines += [f"{name} was trained {told}.\n" for told in files.changes]
    return "\n".join(["", "## Training", "", *lines]) if lines else ""


def _made_from(system: Run) -> dict[str, Any]:
    """Return what decides a report's figures."""
    digests = [
        checkpoint.read_header(system.folder.stage(name).weights)["digest"]
        for name in system.evaluable_stages
    ]
    return {"recipe": system.recipe.hash, "weights": digests}


def _saved_report(system: Run) -> dict[str, Any] | None:
    if not (system.folder.path / "report.md").is_file():
        return None
    try:
        text = (system.folder.path / "report.json").read_text()
        kept = json.loads(text, parse_constant=int)  # which NaN and Infinity are not
    except (OSError, ValueError):
        return None
    return kept if isinstance(kept, dict) and "made_from" in kept else None
