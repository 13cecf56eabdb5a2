"""The report of a run: evidence that each stage listens, as Markdown, JSON and pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from shlex import quote
from typing import Any

from mousai_kit import checkpoints
from mousai_kit.data import dataset, one_a_track
from mousai_kit.evaluation import WAYS, Decoded, Evaluation, document
from mousai_kit.interfaces import Request, Split
from mousai_kit.system import System
from mousai_kit.training.validation import losses

SPLITS: tuple[Split, ...] = ("validation", "train")
YOUR_MUSIC = "--set data.use=folder --set data.path=~/Music --out runs/mine"


def write(system: System) -> dict[str, Any]:
    """Evaluate a trained system and write report.md, report.json and evaluation/*.png.

    Where the folder holds a report of the same weights and recipe, that one is returned.
    """
    made_from = _made_from(system)
    if (kept := _kept(system)) is not None and kept["made_from"] == made_from:
        return kept
    decoded = _decoded(system)
    heard = _losses(system)
    values: dict[str, Any] = {
        "made_from": made_from,
        "decoded": [
            {"stage": part.stage, "split": part.split, "clips": part.sources, **part.scores}
            for part in decoded
        ],
        "loss": heard,
    }
    units = {use.component.name: use.component.unit for use in system.recipe.evaluate.metrics}
    text = document(f"Report of {system.recipe.name}", decoded, heard, units)
    text += _origins(system) + _courses(system)
    system.folder.write("report.md", text)
    system.folder.write("report.json", json.dumps(values, indent=2) + "\n")
    return values


def farewell(system: System, figures: dict[str, Any], clips: Sequence[Path], *, source: str) -> str:
    """Return the last message of a run: what was heard, where everything is, what to try next.

    `source` is the recipe as the user named it.
    """
    folder = system.folder.path
    lines = ["", *_heard(figures), ""]
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


def _next(system: System, source: str) -> Iterator[str]:
    """Yield the commands that a trained system is good for."""
    folder = quote(str(system.folder.path))
    if system.cascade.top.space is None:
        yield f'generate {folder} "your own words" --seconds 20 --seed 7'
    if system.encoding:
        yield f"reconstruct {folder} some-music.flac"
    if not _own_music(system):
        yield f"run {quote(source)} {YOUR_MUSIC}"


def _own_music(system: System) -> bool:
    """Return whether the data are the user's: of a dataset that must be told where they are."""
    options = system.recipe.data.component.Options.model_fields.values()
    return any(option.is_required() for option in options)


def _heard(figures: dict[str, Any]) -> list[str]:
    """Return a line for each stage on whether it listens."""
    lines = []
    for part in figures["decoded"]:
        for metric, ways in part.items():
            if isinstance(ways, dict):
                means = {way: sum(scores) / len(scores) for way, scores in ways.items()}
                told = ", ".join(f"{way} {mean:.2f}" for way, mean in means.items())
                lines.append(f"{part['stage']}: {metric} on {part['split']} clips: {told}")
    for stage, splits in figures["loss"].items():
        for split, values in splits.items():
            told = ", ".join(f"{way} {value:.4f}" for way, value in values.items())
            lines.append(f"{stage}: loss on {split} clips by caption: {told}")
    return lines


def _decoded(system: System) -> list[Decoded]:
    """Return how every stage that encodes brings held-out and training clips back."""
    rate, settings = system.recipe.audio.sample_rate, system.recipe.evaluate
    metrics = [use.build(sample_rate=rate) for use in settings.metrics]
    pictures = system.folder.path / "evaluation"
    pictures.mkdir(exist_ok=True)
    names = [name for name, stage in system.cascade.stages.items() if stage.space is not None]
    results: list[Decoded] = []
    samples = max(1, round(settings.seconds * rate))
    asked = Request([""], [0], samples, window=system.recipe.window)
    total = sum(system.cascade.reports(asked, top=name) for name in names)
    with system.screen.bar("evaluating", total * len(WAYS) * len(SPLITS)) as bar:
        evaluation = Evaluation(
            system.cascade,
            system.fresh(),
            metrics,
            precision=system.recipe.stages[names[0]].train.precision if names else "fp32",
            seed=system.recipe.seed,
            tick=bar.advance,
            window=system.recipe.window,
        )
        for name in names:
            for split in SPLITS:
                found = dataset(system.recipe, length=samples, split=split)
                clips = one_a_track(found, system.data.skip, at_most=settings.clips)
                if clips:
                    results.append(evaluation.decode(name, split, clips, pictures))
    return results


def _losses(system: System) -> dict[str, dict[str, dict[str, float]]]:
    """Return the loss with the right, another's and no caption of stages that follow a text."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name in (it for it in system.trained if it not in system.encoding):
        stage = system.cascade.stages[name]
        header = system.folder.header(system.recipe, name)
        found[name] = {}
        for split in SPLITS:
            clips = system.data.clips(name, header, split)
            if clips is not None:
                precision = system.recipe.stages[name].train.precision
                values = losses(
                    stage, clips, seed=system.recipe.seed, precision=precision, at_least=128
                )
                found[name][split] = {key: round(value, 5) for key, value in values.items()}
    return found


def _origins(system: System) -> str:
    """Return where imported weights are from, as Markdown; empty where all were trained here."""
    found = {name: system.folder.stage(name).origin for name in system.trained}
    lines = [f"- {name}: {origin}" for name, origin in found.items() if origin]
    return "\n".join(["", "## Imported weights", "", *lines, ""]) if lines else ""


def _courses(system: System) -> str:
    """Return the curves and the last demos of stages that were trained here, as Markdown."""
    lines: list[str] = []
    for name in system.trained:
        files = system.folder.stage(name)
        if files.curves.is_file():
            lines += [f"![The course of {name}'s training]({name}/{files.curves.name})", ""]
        if demos := sorted(files.demos.glob("step-*")):
            where = demos[-1].relative_to(system.folder.path)
            lines += [f"What {name} made in training: [{demos[-1].name}]({where}), and before.", ""]
    return "\n".join(["", "## Training", "", *lines]) if lines else ""


def _made_from(system: System) -> dict[str, Any]:
    """Return what decides a report's figures."""
    digests = [
        checkpoints.header(system.folder.stage(name).weights)["digest"] for name in system.trained
    ]
    return {"recipe": system.recipe.hash, "weights": digests}


def _kept(system: System) -> dict[str, Any] | None:
    if not (system.folder.path / "report.md").is_file():
        return None
    try:
        kept = json.loads((system.folder.path / "report.json").read_text())
    except (OSError, ValueError):
        return None
    return kept if isinstance(kept, dict) and "made_from" in kept else None
