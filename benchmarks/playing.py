"""A trained system whose samplers are changed at will: what `samplers.py` measures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from mousai_kit.core.component import Use, resolve_slot
from mousai_kit.core.interfaces import KINDS, GenerationRequest, Schedule, Stage
from mousai_kit.core.plugins import installed_registry
from mousai_kit.core.seeds import derive_seed
from mousai_kit.data.datasets import dataset
from mousai_kit.models.device import autocast
from mousai_kit.runs.run import Run

LOWER = {"use": "angle-2m", "steps": 10}
"""The sampler below the one that is measured: what it lacks is the same for all."""


@dataclass(frozen=True)
class Problem:
    """A stage with what it is asked to make."""

    name: str
    stage: str
    latents: Tensor | None
    request: GenerationRequest
    real: Tensor | None


def problems(system: Run, *, seconds: float, clips: int) -> Iterator[Problem]:
    """Yield the lower stage's problem, then the upper one's at the recipe's guidance and at 5."""
    recipe, cascade = system.recipe, system.cascade
    samples = round(seconds * recipe.audio.sample_rate)
    lower, *_, upper = cascade.stages
    music = dataset(recipe, length=samples, split="validation")
    real = torch.stack([music.clip(index).wave for index in range(clips)]).to(system.device)
    seeds = [derive_seed(recipe.seed, "bench", index) for index in range(clips)]
    request = GenerationRequest([""] * clips, seeds, samples)
    with torch.no_grad():
        latents = cascade.stages[lower].encode(real)
    yield Problem(lower, lower, latents, request, real)
    prompts = (recipe.generate.prompts * clips)[:clips]
    for guidance in dict.fromkeys([recipe.generate.guidance, 5.0]):
        asked = replace(request, prompts=prompts, guidance=guidance)
        yield Problem(f"{upper}, guidance {guidance:g}", upper, None, asked, None)


class Player:
    """Plays a system's stages with one sampler or another."""

    def __init__(self, system: Run, precision: str) -> None:
        self.system, self.precision = system, precision

    def made(self, problem: Problem, spec: dict[str, object]) -> Tensor:
        """Return what a problem's stage makes with a sampler."""
        stage = self._with(problem.stage, spec)
        with torch.no_grad(), autocast(self.system.device, self.precision):
            return stage.decode(problem.latents, problem.request).float()

    def audio(self, problem: Problem, made: Tensor) -> Tensor:
        """Return the audio [b, c, t] of what a problem's stage made."""
        names = list(self.system.cascade.stages)
        below = names[: names.index(problem.stage)]
        if not below:
            return made
        for name in below:
            self._with(name, LOWER)
        with autocast(self.system.device, self.precision):
            return self.system.cascade.decode(made, problem.request, top=below[-1]).float()

    def spacings(self, problem: Problem) -> list[str | None]:
        """Return the schedules whose levels differ: None, the stage's own, first."""
        own: Schedule = vars(self.system.cascade.stages[problem.stage])["schedule"]
        found: dict[tuple[float, ...], str | None] = {_levels(own): None}
        for name in installed_registry().names("schedule"):
            found.setdefault(_levels(chosen("schedule", name).build()), name)
        return list(found.values())

    def _with(self, name: str, spec: dict[str, object]) -> Stage:
        stage = self.system.cascade.stages[name]
        parts = vars(stage)
        parts["sampler"] = chosen("sampler", spec).build(schedule=parts["schedule"])
        return stage


def chosen(kind: str, spec: object) -> Use[Any]:
    """Return a component as a recipe would choose it."""
    return resolve_slot(KINDS[kind], spec, {"registry": installed_registry()})


def _levels(schedule: Schedule) -> tuple[float, ...]:
    return tuple(round(level, 6) for level in schedule.levels(7).tolist())
