"""Demos: what a stage that is being trained makes, every so many steps, always of the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path

from mousai_kit.core.console import Screen
from mousai_kit.core.interfaces import Clip, Split
from mousai_kit.data.datasets import dataset, one_clip_per_track
from mousai_kit.generation.generator import Generator, clip_file_name, make_jobs
from mousai_kit.generation.rendering import FileSink, is_recorded
from mousai_kit.models.cascade import Cascade
from mousai_kit.recipe import Recipe
from mousai_kit.training.callbacks.base import Callback, TrainerView
from mousai_kit.training.train_step import StepResult

HELD_OUT_FIRST: tuple[Split, ...] = ("validation", "train")


class DemoCallback(Callback):
    """Makes demos with the averaged weights: a stage that encodes brings held-out clips back, one
    that reads text plays prompts through the stages below it.

    What is there from an interrupted run, of the same step, is not made again.
    """

    task = "a demo"

    def __init__(
        self,
        recipe: Recipe,
        name: str,
        cascade: Cascade,
        *,
        folder: Path,
        screen: Screen,
        report: Callable[[str], None],
    ) -> None:
        self.recipe, self.name, self.cascade = recipe, name, cascade
        self.folder, self.screen, self.report = folder, screen, report

    def on_step_end(self, training: TrainerView, taken: StepResult) -> None:
        """Make demos, if it is time to."""
        every = self.recipe.demo.every
        if every is None or (training.step % every and not training.is_finished):
            return
        folder = self.folder / f"step-{training.step:08d}"
        tags = {"stage": self.name, "step": str(training.step)}
        batch = self.recipe.generate.batch or 1
        generator = Generator(self.recipe, self.cascade, self.screen, tags=tags, batch=batch)
        with training.ema_weights():
            top = self.name == [*self.cascade.stages][-1]
            plays = top and training.stage.hears_text
            made = (self._prompts if plays else self._reconstruct_clips)(folder, generator)
        training.notify("on_demo", made)

    def _prompts(self, folder: Path, generator: Generator) -> list[Path]:
        """Return music from the prompts."""
        jobs = make_jobs(
            self.recipe.demo_prompts,
            seed=self.recipe.demo.seed,
            count=1,
            seconds=self.recipe.demo_seconds,
            guidance=self.recipe.generate.guidance,
        )
        return [clip.path for clip in generator.write(jobs, folder=folder, suffix="flac")]

    def _reconstruct_clips(self, folder: Path, generator: Generator) -> list[Path]:
        """Return held-out clips, brought through the stage's latents and back."""
        paths, seed = [], self.recipe.demo.seed
        for number, clip in enumerate(self._clips, 1):
            title = Path(clip.source).stem
            name = f"{number}-{clip_file_name(title)}.flac"
            real = {"title": title, "seconds": f"{self.recipe.demo_seconds:g}"}
            tags = {**generator.tags, "title": title, "seed": str(seed), **real}
            if not is_recorded(folder / name, tags):
                self._show(clip, self.folder / "real" / name, real)
                generator.reconstruct(
                    clip.wave, folder / name, top=self.name, seed=seed, real=title, tags=tags
                )
            paths.append(folder / name)
        return paths

    def _show(self, clip: Clip, path: Path, tags: Mapping[str, str]) -> None:
        """Put what is brought back beside it, once."""
        if not is_recorded(path, tags):
            samples = clip.wave.shape[-1]
            with FileSink(path, self.cascade.audio, samples, title="real", tags=tags) as sink:
                sink.add(clip.wave)
                sink.finish()

    @cached_property
    def _clips(self) -> list[Clip]:
        """The clips that are brought back: held-out ones, or where there are none, others."""
        length = max(1, round(self.recipe.demo_seconds * self.recipe.audio.sample_rate))
        for split in HELD_OUT_FIRST:
            found = dataset(self.recipe, length=length, split=split)
            if clips := one_clip_per_track(found, self.report, at_most=self.recipe.demo.clips):
                return clips
        return []
