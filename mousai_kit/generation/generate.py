"""What a trained system makes: clips from prompts, and music brought through its latents."""

from __future__ import annotations

import os
from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mousai_kit.core.errors import (
    Argument,
    Problem,
    RequestError,
    argument_error,
    format_path,
    join_quoted,
)
from mousai_kit.core.interfaces import Controls, Prompt
from mousai_kit.core.validation import flatten_errors
from mousai_kit.generation.generator import (
    SOFTWARE,
    GeneratedFile,
    GenerationJob,
    Generator,
    make_jobs,
)
from mousai_kit.generation.output import GeneratedAudio
from mousai_kit.generation.source_file import clip_seconds, read_source
from mousai_kit.models.cascade import Cascade
from mousai_kit.recipe import Recipe
from mousai_kit.runs import checkpoint
from mousai_kit.runs.run import Run
from mousai_kit.runs.vocabulary import cut_prompts_told, unknown_words_told


def generate(
    system: Run, jobs: Sequence[GenerationJob], *, folder: Path, batch: int | None = None
) -> list[GeneratedFile]:
    """Return the clips of all jobs, made or found made, with their pictures in `folder`.

    `batch` clips are made at a time: by default the recipe's, else one on a CPU, eight elsewhere.
    """
    if not jobs:
        return []
    suffix = system.recipe.generate.format
    return _generator_for(system, jobs, batch).write(jobs, folder=folder, suffix=suffix)


def play(
    system: Run, jobs: Sequence[GenerationJob], *, batch: int | None = None
) -> list[GeneratedAudio]:
    """Return the clips of all jobs in memory: as `generate` writes them."""
    return _generator_for(system, jobs, batch).play(jobs)


def jobs_of(
    system: Run,
    prompts: Sequence[str],
    *,
    seed: int,
    count: int = 1,
    seconds: float | None = None,
    guidance: float | None = None,
    controls: Controls | None = None,
) -> list[GenerationJob]:
    """Return what to make of prompts; what is not given is the recipe's.

    RequestError where the system reads no text, there is no prompt or a number is out of range.
    """
    require_text_conditioning(system)
    controls = controls or Controls()
    check_controls(system.cascade, controls)
    settings = system.recipe.generate
    lasts = clip_seconds(system.cascade, controls, asked=seconds, default=settings.seconds)
    return make_jobs(
        prompts,
        seed=seed,
        count=count,
        seconds=lasts,
        guidance=settings.guidance if guidance is None else guidance,
        controls=controls,
    )


def recipe_jobs(system: Run) -> list[GenerationJob]:
    """Return what a recipe itself asks for; an error, before any training, where it can't be."""
    settings, seed = system.recipe.generate, system.recipe.seed
    check_prompts(system.recipe, system.cascade)
    if not settings.prompts:
        return []
    prompts = [
        item if isinstance(item, Prompt) else Prompt(prompt=item) for item in settings.prompts
    ]
    return [
        job
        for item in prompts
        for job in jobs_of(
            system, [item.prompt], seed=seed, count=settings.count, controls=item.controls
        )
    ]


def parse_controls(**values: Any) -> Controls:
    """Return controls of what a caller gives by name; RequestError where one is wrong."""
    try:
        return Controls.model_validate({name: _plain(value) for name, value in values.items()})
    except ValidationError as error:
        problems = flatten_errors(error, Controls)
    raise RequestError(
        *(
            Problem(Argument(str(place[0])), format_path(place[1:]), told)
            for place, told in problems
        )
    )


def _plain(value: Any) -> Any:
    """Return a path as text, anything else as it is."""
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def check_controls(cascade: Cascade, controls: Controls) -> None:
    """Raise RequestError where the stage that hears the text can't do what is asked."""
    top = cascade.top
    for name in controls.chosen():
        if name not in top.controls:
            able = f"it has {join_quoted(sorted(top.controls))}" if top.controls else "it has none"
            raise argument_error(name, f"the top stage, {top.name}, has no such control; {able}")


def _generator_for(system: Run, jobs: Sequence[GenerationJob], batch: int | None) -> Generator:
    """Return what makes jobs, tagged with its weights; say what of prompts it can't heed."""
    prompts = [job.prompt for job in jobs]
    for tell in (unknown_words_told, cut_prompts_told):
        for line in tell(system.cascade, prompts):
            system.screen.print(line)
    files = [system.folder.stage(name).weights for name in system.cascade.stages]
    weights = [checkpoint.read_header(file)["digest"] for file in files]
    return Generator(
        system.recipe,
        system.cascade,
        system.screen,
        tags={
            "weights": " ".join([*weights, *(adapter.tag for adapter in system.adapters)]),
            "steps": "+".join(map(str, reversed(system.cascade.nfe.values()))),
        },
        batch=batch or system.recipe.generate.batch or (1 if system.device.type == "cpu" else 8),
        ranks=system.ranks,
    )


def check_prompts(recipe: Recipe, cascade: Cascade) -> None:
    """Raise RecipeError where a recipe has prompts, and makes no music from text."""
    if recipe.generate.prompts and (told := _without_text(cascade)):
        raise recipe.error_at(("generate", "prompts"), told)


def require_text_conditioning(system: Run) -> None:
    """Raise RequestError where a system makes no music from text."""
    if told := _without_text(system.cascade):
        raise RequestError(told)


def _without_text(cascade: Cascade) -> str:
    """Return why a system does nothing with prompts; empty where it does."""
    if (top := cascade.top).latent_space is None:
        return ""
    return (
        f"the top stage, {top.name}, makes no music from text, so that there is nothing to do "
        "with prompts; leave them out (`generate.prompts`), or add a stage above it"
    )


def reconstruct(
    system: Run, source: Path, *, out: Path, seconds: float | None, start: float, seed: int
) -> Path:
    """Bring a file through the latents and back; return the audio file, a picture beside it.

    `start` and `seconds` say what to read of the file; None is all from there on.
    """
    if seconds is not None and not 0 < seconds < inf:
        raise argument_error("seconds", f"must be a number above 0 (got {seconds:g})")
    if not 0 <= start < inf:
        raise argument_error("start", f"must be a number of 0 or more (got {start:g})")
    if not (stages := system.autoencoder_stages):
        told = "this recipe has no stage that encodes audio; nothing to reconstruct with"
        raise RequestError(told)
    space = system.cascade.audio
    wave = read_source(source, space, start=start, seconds=seconds, use="reconstruct")
    tags = {"title": f"{source.stem} through {system.recipe.name}", "seed": str(seed)}
    tags |= {"recipe_hash": system.recipe.hash, **SOFTWARE}
    generator = Generator(system.recipe, system.cascade, system.screen, tags={})
    generator.reconstruct(wave, out, top=stages[-1], seed=seed, real=source.name, tags=tags)
    return out
