"""What a trained system makes: clips from prompts, and music brought through its latents."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from torch import Tensor

from mousai_kit import audio
from mousai_kit.core.errors import (
    Argument,
    Problem,
    RequestError,
    argument_error,
    format_path,
    join_quoted,
)
from mousai_kit.core.interfaces import Controls, Prompt
from mousai_kit.core.interfaces.controls import CONDITIONS
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

GUIDED = ("negative", "guidance_rescale", "guidance_interval", "guidance_schedule")
"""Controls that say how to guide."""


def generate(
    system: Run, jobs: Sequence[GenerationJob], *, folder: Path, batch: int | None = None
) -> list[GeneratedFile]:
    """Return the clips of all jobs, made or found made, with their pictures in `folder`.

    `batch` clips are made at a time: by default the recipe's, else one on a CPU, eight elsewhere.
    """
    if not jobs:
        return []
    suffix = system.recipe.generate.format
    return generator_for(system, jobs, batch).write(jobs, folder=folder, suffix=suffix)


def play(
    system: Run, jobs: Sequence[GenerationJob], *, batch: int | None = None
) -> list[GeneratedAudio]:
    """Return the clips of all jobs in memory: as `generate` writes them."""
    return generator_for(system, jobs, batch).play(jobs)


def stream(system: Run, job: GenerationJob, *, batch: int | None = None) -> Iterator[Tensor]:
    """Return the audio [c, n] of a job's clip piece by piece: as `generate` writes it.

    `batch` says how many windows may be made together, as it does there.
    """
    return generator_for(system, [job], batch).stream(job)


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

    `controls` are whole, as `parse_controls` gives them.

    RequestError where the system reads no text, there is no prompt or a number is out of range.
    """
    require_text_conditioning(system)
    settings = system.recipe.generate
    controls = settings.controls if controls is None else controls
    for name, told in _iter_refusals(system.cascade, controls):
        raise argument_error(name, told)
    system.cascade.parse_conditions(controls.conditions)
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
    return [
        job
        for text, item in zip(settings.texts, settings.prompts, strict=True)
        for job in jobs_of(
            system,
            [text],
            seed=seed,
            count=settings.count,
            controls=_over(system.recipe, {} if isinstance(item, str) else item.explicit()),
        )
    ]


def vary(jobs: Sequence[GenerationJob], variations: int | None) -> list[GenerationJob]:
    """Return each job so many times, its variations counting up from 1; None: as they are."""
    if variations is None:
        return list(jobs)
    return [
        replace(job, controls=job.controls.model_copy(update={"variation": number}))
        for job in jobs
        for number in range(1, variations + 1)
    ]


def parse_controls(recipe: Recipe, **values: Any) -> Controls:
    """Return controls by name; what is left out, or is None, is the recipe's.

    RequestError where one is wrong.
    """
    return _over(
        recipe,
        {
            name: value
            for name, value in values.items()
            if not (value is None and name in Controls.model_fields)
        },
    )


def _over(recipe: Recipe, values: Mapping[str, Any]) -> Controls:
    """Return a recipe's controls with some in their place; RequestError where one is wrong."""
    try:
        return Controls.model_validate(
            {
                **recipe.generate.controls.explicit(),
                **{key: _plain(value) for key, value in values.items()},
            }
        )
    except ValidationError as error:
        problems = flatten_errors(error, Controls)
    raise RequestError(
        *(
            Problem(Argument(str(place[0])), format_path(place[1:]), told)
            for place, told in problems
        )
    )


def _plain(value: Any) -> Any:
    """Return a value with paths as text, and lists for tuples."""
    match value:
        case os.PathLike():
            return os.fspath(value)
        case tuple() | list():
            return [_plain(item) for item in value]
        case Mapping():
            return {key: _plain(item) for key, item in value.items()}
    return value


def _iter_refusals(cascade: Cascade, controls: Controls) -> Iterator[tuple[str, str]]:
    """Yield the name of each control that the stage which hears the text can't heed, and why."""
    top = cascade.top
    able = f"it has {join_quoted(sorted(top.controls))}" if top.controls else "it has none"
    for name in controls.active():
        if name not in (CONDITIONS, *top.controls):
            yield name, f"the top stage, {top.name}, has no such control; {able}"


def idle_controls_told(jobs: Sequence[GenerationJob]) -> Iterator[str]:
    """Yield a line on what is asked of guidance, where there is none."""
    asked = (job.controls.active() for job in jobs if job.guidance == 1)
    if idle := {name for names in asked for name in names if name in GUIDED}:
        verb = "does" if len(idle) == 1 else "do"
        yield (
            f"at guidance 1, {join_quoted(sorted(idle))} {verb} nothing: the prompt alone is "
            "followed; ask for more guidance"
        )


def generator_for(system: Run, jobs: Sequence[GenerationJob], batch: int | None) -> Generator:
    """Return what makes jobs, tagged with its weights; say what of prompts it can't heed."""
    _tell_iter_refusals(
        system, [text for job in jobs for text in (job.prompt, *job.controls.texts)]
    )
    for line in idle_controls_told(jobs):
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


def _tell_iter_refusals(system: Run, prompts: Sequence[str]) -> None:
    """Say what of prompts a system can't heed."""
    for tell in (unknown_words_told, cut_prompts_told):
        for line in tell(system.cascade, prompts):
            system.screen.print(line)


def check_prompts(recipe: Recipe, cascade: Cascade) -> None:
    """Raise RecipeError where a recipe has prompts or controls that its top stage can't heed."""
    settings = recipe.generate
    if settings.prompts and (told := _without_text(cascade)):
        raise recipe.error_at(("generate", "prompts"), told)
    asked: dict[tuple[str | int, ...], Controls] = {("controls",): settings.controls}
    for index, item in enumerate(settings.prompts):
        if isinstance(item, Prompt):
            asked["prompts", index] = item
    for place, controls in asked.items():
        _check_conditions(recipe, cascade, controls, ("generate", *place, CONDITIONS))
        for name, told in _iter_refusals(cascade, controls):
            raise recipe.error_at(("generate", *place, name), told)


def _check_conditions(
    recipe: Recipe, cascade: Cascade, controls: Controls, place: tuple[str | int, ...]
) -> None:
    """Raise RecipeError where what a recipe says of conditions at a place is no system's."""
    try:
        cascade.parse_conditions(controls.conditions)
    except RequestError as error:
        problem = error.problems[0]
        name = problem.origin.value if isinstance(problem.origin, Argument) else problem.origin
        path = [part for part in (name, problem.path) if part]
        raise recipe.error_at((*place, *path), problem.message) from None


def require_text_conditioning(system: Run) -> None:
    """Raise RequestError where a system makes no music from text."""
    if told := _without_text(system.cascade):
        raise RequestError(told)


def _without_text(cascade: Cascade) -> str:
    """Return why a system does nothing with prompts; empty where it does."""
    if (top := cascade.top).hears_text:
        return ""
    return (
        f"the top stage, {top.name}, makes no music from text, so that there is nothing to do "
        "with prompts; leave them out (`generate.prompts`), or add a stage above it"
    )


def reconstruct(
    system: Run,
    source: Path,
    *,
    out: Path,
    seconds: float | None,
    start: float,
    seed: int,
    prompt: str = "",
    guidance: float | None = None,
) -> Path:
    """Bring a file through the latents and back; return the audio file, a picture beside it.

    `start` and `seconds` say what to read of the file; None is all from there on. The `prompt` is
    heard, with the recipe's guidance or another, by stages that hear text; RequestError where none
    does.
    """
    job = _job_of_reconstruction(system, prompt, seed=seed, guidance=guidance)
    wave = _read(system, source, start=start, seconds=seconds)
    tags = _tags_of_reconstruction(system, source.stem, job)
    generator = Generator(system.recipe, system.cascade, system.screen, tags={})
    top = system.autoencoder_stages[-1]
    generator.reconstruct(
        wave,
        out,
        top=top,
        seed=seed,
        real=source.name,
        tags=tags,
        prompt=job.prompt,
        guidance=job.guidance,
    )
    return out


def play_reconstruction(
    system: Run,
    source: Path | Tensor,
    *,
    seconds: float | None,
    start: float,
    seed: int,
    prompt: str = "",
    guidance: float | None = None,
) -> GeneratedAudio:
    """Bring a file, or audio [c, t] as the system has it, through the latents and back in memory.

    As `reconstruct` writes it. RequestError where audio has another number of channels.
    """
    job = _job_of_reconstruction(system, prompt, seed=seed, guidance=guidance)
    rate, channels = system.recipe.audio.sample_rate, system.recipe.audio.channels
    if isinstance(source, Path):
        wave, name = _read(system, source, start=start, seconds=seconds), source.stem
    elif source.ndim != 2 or len(source) != channels or not source.shape[-1]:
        told = f"audio must be a tensor [{channels}, t] at {rate} Hz (got {list(source.shape)})"
        raise RequestError(told)
    else:
        wave, name = _cut(source.float(), rate, start=start, seconds=seconds), "audio"
    generator = Generator(system.recipe, system.cascade, system.screen, tags={})
    made = generator.play_reconstruction(
        wave,
        top=system.autoencoder_stages[-1],
        seed=seed,
        prompt=job.prompt,
        guidance=job.guidance,
    )
    tags = _tags_of_reconstruction(system, name, job)
    return GeneratedAudio(made, rate, job.prompt, seed, tags)


def _job_of_reconstruction(
    system: Run, prompt: str, *, seed: int, guidance: float | None
) -> GenerationJob:
    """Return what is asked for beside audio; RequestError where that can't be."""
    if not (stages := system.autoencoder_stages):
        told = "this recipe has no stage that encodes audio; nothing to reconstruct with"
        raise RequestError(told)
    hears = any(system.cascade.stages[name].hears_text for name in stages)
    for name, given in (("prompt", bool(prompt)), ("guidance", guidance is not None)):
        if given and not hears:
            told = (
                f"is heard by no stage that brings audio back ({', '.join(stages)}); leave it out"
            )
            raise argument_error(name, told)
    if guidance is None:
        guidance = system.recipe.generate.guidance if prompt else 1.0
    (job,) = make_jobs([prompt], seed=seed, count=1, seconds=1.0, guidance=guidance)
    if prompt:
        _tell_iter_refusals(system, [job.prompt])
    return job


def _tags_of_reconstruction(system: Run, name: str, job: GenerationJob) -> dict[str, str]:
    tags = {"title": f"{name} through {system.recipe.name}", "seed": str(job.seed)}
    if job.prompt:
        tags |= {"prompt": job.prompt, "guidance": f"{job.guidance:g}"}
    return {**tags, "recipe_hash": system.recipe.hash, **SOFTWARE}


def _check_stretch(start: float, seconds: float | None) -> None:
    """Raise RequestError where a stretch of audio is none."""
    if seconds is not None and not 0 < seconds < inf:
        raise argument_error("seconds", f"must be a number above 0 (got {seconds:g})")
    if not 0 <= start < inf:
        raise argument_error("start", f"must be a number of 0 or more (got {start:g})")


def _cut(wave: Tensor, rate: int, *, start: float, seconds: float | None) -> Tensor:
    """Return a stretch of audio [c, t]; RequestError where there is none, or it is silent."""
    _check_stretch(start, seconds)
    first = round(start * rate)
    last = None if seconds is None else first + max(1, round(seconds * rate))
    part = wave[:, first:last].cpu()
    if not part.numel() or part.abs().max() < audio.SILENCE:
        raise RequestError("the audio is silent there; there is nothing to reconstruct")
    return part


def _read(system: Run, source: Path, *, start: float, seconds: float | None) -> Tensor:
    """Return a stretch of a file's audio [c, t] as the system takes it."""
    _check_stretch(start, seconds)
    space = system.cascade.audio
    return read_source(source, space, start=start, seconds=seconds, use="reconstruct")
