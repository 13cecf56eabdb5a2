"""Trained: a system in Python's hands, from a recipe or a run folder to music."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import torch
from torch import Tensor

from mousai_kit.core.console import Screen
from mousai_kit.core.errors import argument_error, format_value
from mousai_kit.generation import generate as making
from mousai_kit.generation.generator import GenerationJob
from mousai_kit.generation.output import GeneratedAudio
from mousai_kit.models.cascade import Cascade
from mousai_kit.recipe import with_sampler_steps
from mousai_kit.runs import resolve
from mousai_kit.runs.adapter import load_adapters
from mousai_kit.runs.run import Run


class Pipeline(Cascade):
    """A cascade with the weights of a run, ready to make music. See `load` and `train`."""

    def __init__(self, system: Run, *, compiled: bool = False) -> None:
        super().__init__(system.cascade.audio, system.cascade.stages)
        self.recipe, self.folder = system.recipe, system.folder.path
        self._compiled = compiled
        self._system = system
        self._other: Run | None = None

    @overload
    def generate(
        self,
        prompts: str,
        *,
        seconds: float | None = None,
        seed: int = 0,
        guidance: float | None = None,
        steps: int | None = None,
        batch: int | None = None,
        **controls: Any,
    ) -> GeneratedAudio: ...
    @overload
    def generate(
        self,
        prompts: list[str] | tuple[str, ...],
        *,
        seconds: float | None = None,
        seed: int = 0,
        guidance: float | None = None,
        steps: int | None = None,
        batch: int | None = None,
        **controls: Any,
    ) -> list[GeneratedAudio]: ...
    def generate(
        self,
        prompts: str | list[str] | tuple[str, ...],
        *,
        seconds: float | None = None,
        seed: int = 0,
        guidance: float | None = None,
        steps: int | None = None,
        batch: int | None = None,
        **controls: Any,
    ) -> GeneratedAudio | list[GeneratedAudio]:
        """Make music from a prompt, or from each of several: what `mousai-kit generate` makes.

        What is not given is the recipe's. `controls` are those of `mk.Controls` by name, such as
        `negative="vocals"`. With another number of `steps` the weights are loaded once more, and
        kept for the next time. RequestError where a number is out of range, the top stage reads no
        text or has no such control, or memory does not suffice.
        """
        texts = [prompts] if isinstance(prompts, str) else prompts
        system, jobs = self._jobs(
            texts, seconds, seed=seed, guidance=guidance, steps=steps, batch=batch, **controls
        )
        made = making.play(system, jobs, batch=batch)
        return made[0] if isinstance(prompts, str) else made

    def stream(
        self,
        prompt: str,
        *,
        seconds: float | None = None,
        seed: int = 0,
        guidance: float | None = None,
        steps: int | None = None,
        batch: int | None = None,
        **controls: Any,
    ) -> Iterator[Tensor]:
        """Make music from a prompt, and yield it piece by piece: what `generate` makes of it.

        A piece is audio [c, n], float32 on the CPU, any number of samples at the recipe's rate, and
        comes as soon as it is made. A clip that is longer than what the top stage learned from is
        made as it is heard, in memory that does not grow with it. Errors are those of `generate`.
        """
        system, jobs = self._jobs(
            [prompt], seconds, seed=seed, guidance=guidance, steps=steps, batch=batch, **controls
        )
        return making.stream(system, jobs[0], batch=batch)

    def _jobs(
        self,
        prompts: list[str] | tuple[str, ...],
        seconds: float | None,
        *,
        seed: int,
        guidance: float | None,
        steps: int | None,
        batch: int | None,
        **controls: Any,
    ) -> tuple[Run, list[GenerationJob]]:
        """Return what makes prompts, and what is to be made of them."""
        if batch is not None and not (type(batch) is int and batch >= 1):
            told = f"must be a whole number of at least 1 (got {format_value(batch)})"
            raise argument_error("batch", told)
        system = self._system if steps is None else self._with_steps(steps)
        parsed = making.parse_controls(system.recipe, **controls)
        return system, making.jobs_of(
            system, prompts, seed=seed, seconds=seconds, guidance=guidance, controls=parsed
        )

    def reconstruct(
        self,
        source: str | Path | Tensor,
        *,
        prompt: str = "",
        guidance: float | None = None,
        start: float = 0.0,
        seconds: float | None = None,
        seed: int = 0,
        steps: int | None = None,
    ) -> GeneratedAudio:
        """Bring music through the autoencoder and back: what `mousai-kit reconstruct` makes.

        `source` is an audio file, or audio [c, t] with the recipe's channels and sample rate, of
        which `start` and `seconds` say a stretch. Stages that hear text are told the `prompt`;
        RequestError where one or `guidance` is given and none does, where no stage encodes or a
        number is out of range; AudioError where the file can't be read.
        """
        system = self._system if steps is None else self._with_steps(steps)
        return making.play_reconstruction(
            system,
            source if isinstance(source, Tensor) else Path(source),
            seconds=seconds,
            start=start,
            seed=seed,
            prompt=prompt,
            guidance=guidance,
        )

    def _with_steps(self, steps: int) -> Run:
        """Return the same with other steps; the last one asked for is kept."""
        recipe = with_sampler_steps(self.recipe, steps)
        if self._other is None or self._other.recipe != recipe:
            one = self._system
            with torch.random.fork_rng(devices=[]):
                other = Run(recipe, one.folder, one.screen, one.adapters, to_load=True)
                self._other = other.load_for_inference(compiled=self._compiled)
        return self._other

    def __repr__(self) -> str:
        return f"Pipeline({self.recipe.name}, {self.folder})"


def load(
    run: str | Path,
    overrides: Sequence[str] = (),
    *,
    revision: str | None = None,
    steps: int | None = None,
    adapters: Mapping[str, float] | Mapping[Path, float] | None = None,
    compile: bool = False,  # noqa: A002 - as recipes and the command line have it
    quiet: bool = False,
) -> Pipeline:
    """Load a trained system: a run folder, a recipe that was run, or a system by name.

    A name is a package's (`starter`) or one on the Hugging Face hub (`owner/name`), of which
    `revision` says the commit. `overrides` change its recipe (`device=cpu`), `steps` all its
    samplers; `adapters` are tuned runs or files of adapters, each with its strength. With `compile`
    networks' blocks are compiled as they first sample, on CUDA as graphs: it pays where much is
    made of one length. `quiet` shows no progress. An error tells which stage is not trained, or is
    another recipe's; RequestError where there is no compiler.
    """
    recipe, folder = resolve.resolve_run(str(run), overrides, steps, revision)
    folder.check_trained(recipe)
    strengths = {str(path): strength for path, strength in (adapters or {}).items()}
    found = load_adapters(strengths, recipe.stages)
    with torch.random.fork_rng(devices=[]):
        system = Run(recipe, folder, Screen(quiet=quiet), found, to_load=True)
        return Pipeline(system.load_for_inference(compiled=compile), compiled=compile)
