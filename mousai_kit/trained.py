"""Trained: a system in Python's hands, from a recipe or a run folder to music."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import overload

import torch

from mousai_kit import making, targets
from mousai_kit.cascade import Cascade
from mousai_kit.console import Screen
from mousai_kit.errors import MousaiError, Problem, RequestError, shown
from mousai_kit.generation import Order, orders
from mousai_kit.music.made import Music
from mousai_kit.recipe import Recipe, with_sampler_steps
from mousai_kit.runs import RunFolder
from mousai_kit.system import System
from mousai_kit.tuning.adapter import worn


class TrainedCascade(Cascade):
    """A cascade with the weights of a run, ready to make music. See `load` and `train`."""

    def __init__(self, system: System) -> None:
        super().__init__(system.cascade.audio, system.cascade.stages)
        self.recipe, self.folder = system.recipe, system.folder.path
        self._system = system
        self._other: TrainedCascade | None = None

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
    ) -> Music: ...
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
    ) -> list[Music]: ...
    def generate(
        self,
        prompts: str | list[str] | tuple[str, ...],
        *,
        seconds: float | None = None,
        seed: int = 0,
        guidance: float | None = None,
        steps: int | None = None,
        batch: int | None = None,
    ) -> Music | list[Music]:
        """Make music from a prompt, or from each of several: what `mousai-kit generate` makes.

        What is not given is the recipe's. With another number of `steps` the weights are loaded
        once more, and kept for the next time. RequestError where a number is out of range, the
        top stage reads no text or memory does not suffice.
        """
        if steps is not None:
            other = self._with_steps(steps)
            return other.generate(
                prompts, seconds=seconds, seed=seed, guidance=guidance, batch=batch
            )
        if batch is not None and not (type(batch) is int and batch >= 1):
            raise RequestError(f"batch: must be a whole number of at least 1 (got {shown(batch)})")
        wanted = self._orders(prompts, seed=seed, seconds=seconds, guidance=guidance)
        together = batch or self.recipe.generate.batch or making.at_a_time(self._system)
        generator, rate = making.generator(self._system), self.audio.sample_rate
        with _keywords_for_options():
            waves = generator.heard(wanted, batch=together, screen=self._system.screen)
        made = [
            Music(wave, rate, order.prompt, order.seed, generator.tags_of(order))
            for wave, order in zip(waves, wanted, strict=True)
        ]
        return made[0] if isinstance(prompts, str) else made

    def _orders(
        self,
        prompts: str | list[str] | tuple[str, ...],
        *,
        seed: int,
        seconds: float | None,
        guidance: float | None,
    ) -> list[Order]:
        """Return what is to be made; what is not given is the recipe's."""
        making.check_text(self._system)
        if not isinstance(prompts, str) and not prompts:
            raise RequestError("there is no prompt; give one or more")
        settings = self.recipe.generate
        with _keywords_for_options():
            return orders(
                [prompts] if isinstance(prompts, str) else prompts,
                seed=seed,
                count=1,
                seconds=settings.seconds if seconds is None else seconds,
                guidance=settings.guidance if guidance is None else guidance,
            )

    def _with_steps(self, steps: int) -> TrainedCascade:
        """Return the same with other steps; the last one asked for is kept."""
        with _keywords_for_options():
            recipe = with_sampler_steps(self.recipe, steps)
        if self._other is None or self._other.recipe != recipe:
            one = self._system
            self._other = _loaded(System(recipe, one.folder, one.screen, one.adapters))
        return self._other

    def __repr__(self) -> str:
        return f"TrainedCascade({self.recipe.name}, {self.folder})"


def load(
    run: str | Path,
    overrides: Sequence[str] = (),
    *,
    steps: int | None = None,
    adapters: Mapping[str, float] | Mapping[Path, float] | None = None,
    quiet: bool = False,
) -> TrainedCascade:
    """Load a trained run: a run folder, or a recipe that was run.

    `overrides` change its recipe (`device=cpu`), `steps` all its samplers; `adapters` are tuned
    runs or files of adapters, each with its strength; `quiet` shows no progress. An error tells
    which stage is not trained, or is another recipe's.
    """
    with _keywords_for_options():
        recipe, folder = targets.run_of(str(run), overrides, steps)
    folder.check_trained(recipe)
    with _keywords_for_options():
        found = worn({str(path): it for path, it in (adapters or {}).items()}, recipe.stages)
    with torch.random.fork_rng(devices=[]), _keywords_for_options():
        return _loaded(System(recipe, folder, Screen(quiet=quiet), found))


def train(
    recipe: Recipe, folder: str | Path | None = None, *, quiet: bool = False
) -> TrainedCascade:
    """Train what is not trained yet in a run folder (`runs/<name>`), then load all of it.

    As `mousai-kit run` does before it makes music: what was begun is gone on with.
    """
    if not isinstance(recipe, Recipe):
        told = f"mk.train takes a recipe, as mk.load_recipe(...) gives (got {shown(recipe)})"
        raise RequestError(told)
    run = RunFolder.default(recipe) if folder is None else RunFolder(Path(folder))
    with torch.random.fork_rng(devices=[]):
        with run.locked():
            System(recipe, run, Screen(quiet=quiet)).train()
        return _loaded(System(recipe, run, Screen(quiet=quiet)))


@contextmanager
def _keywords_for_options() -> Iterator[None]:
    """Tell what is wrong with a command's `--seconds` as of Python's `seconds`."""
    try:
        yield
    except MousaiError as error:
        problems = (
            Problem(_as_keyword(it.origin), it.path, _as_keyword(it.message))
            for it in error.problems
        )
        raise type(error)(*problems) from None


def _as_keyword(text: str) -> str:
    """Return `--steps 0` as `steps=0` and `--seconds: ...` as `seconds: ...`."""
    named = re.sub(r"^--(seconds|guidance|seed|steps)\b", r"\1", text)
    named = re.sub(r"^--adapter\b", "adapters", named)
    return re.sub(r"^steps (?=\S+$)", "steps=", named)


def _loaded(system: System) -> TrainedCascade:
    """Return a system's cascade with its weights, in a form that only plays."""
    with torch.random.fork_rng(devices=[]):
        return TrainedCascade(system.load_to_play())
