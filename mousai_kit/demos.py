"""Demos: what a stage that is being trained makes, every so many steps, always of the same."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mousai_kit import __version__
from mousai_kit.cascade import Cascade
from mousai_kit.console import Screen
from mousai_kit.data import dataset, one_a_track
from mousai_kit.generation import Generator, file_name, orders
from mousai_kit.interfaces import Clip, Split
from mousai_kit.playing import Recording, recorded
from mousai_kit.recipe import Recipe
from mousai_kit.reconstruction import Reconstructor
from mousai_kit.training.observing import Observer
from mousai_kit.training.step import Taken

if TYPE_CHECKING:
    from mousai_kit.training.loop import Training

HELD_OUT_FIRST: tuple[Split, ...] = ("validation", "train")


class Demos(Observer):
    """Makes demos with the averaged weights: a stage that encodes brings held-out clips back, one
    that reads text plays prompts through the stages below it.

    What is there from an interrupted run, of the same step, is not made again.
    """

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

    def stepped(self, training: Training, taken: Taken) -> None:
        """Make demos, if it is time to."""
        every = self.recipe.demo.every
        if every is None or (training.step % every and not training.finished):
            return
        folder = self.folder / f"step-{training.step:08d}"
        with training.averaged():
            make = self._prompts if training.stage.space is None else self._clips_back
            made = make(folder, training.step)
        for observer in training.observers:
            observer.demonstrated(training, made)

    def _prompts(self, folder: Path, step: int) -> list[Path]:
        """Return music from the prompts."""
        settings, window = self.recipe.generate, self.recipe.window
        wanted = orders(
            self.recipe.demo_prompts,
            seed=self.recipe.demo.seed,
            count=1,
            seconds=self.recipe.demo_seconds,
            guidance=settings.guidance,
        )
        generator = Generator(
            self.cascade, tags=self._tags(step), precision=self._precision, window=window
        )
        batch = settings.batch or 1
        made = generator.make(wanted, folder=folder, suffix="flac", batch=batch, screen=self.screen)
        return [it.path for it in made]

    def _clips_back(self, folder: Path, step: int) -> list[Path]:
        """Return held-out clips, brought through the stage's latents and back."""
        through = Reconstructor(
            self.cascade, self.name, precision=self._precision, window=self.recipe.window
        )
        paths, seed = [], self.recipe.demo.seed
        for number, clip in enumerate(self._clips, 1):
            title = Path(clip.source).stem
            name = f"{number}-{file_name(title)}.flac"
            tags = {**self._tags(step), "title": title, "seed": str(seed)}
            tags |= {"seconds": f"{self.recipe.demo_seconds:g}"}
            if not recorded(folder / name, tags):
                self._show(clip, self.folder / "real" / name)
                through.make(
                    clip.wave, folder / name, seed=seed, real=title, tags=tags, screen=self.screen
                )
            paths.append(folder / name)
        return paths

    def _show(self, clip: Clip, path: Path) -> None:
        """Put what is brought back beside it, once."""
        tags = {"title": Path(clip.source).stem, "seconds": f"{self.recipe.demo_seconds:g}"}
        if not recorded(path, tags):
            path.parent.mkdir(parents=True, exist_ok=True)
            with Recording(path, self.cascade.audio, clip.wave.shape[-1]) as recording:
                recording.add(clip.wave)
                recording.finish("real", tags)

    @cached_property
    def _clips(self) -> list[Clip]:
        """The clips that are brought back: held-out ones, or where there are none, others."""
        length = max(1, round(self.recipe.demo_seconds * self.recipe.audio.sample_rate))
        for split in HELD_OUT_FIRST:
            found = dataset(self.recipe, length=length, split=split)
            if clips := one_a_track(found, self.report, at_most=self.recipe.demo.clips):
                return clips
        return []

    def _tags(self, step: int) -> dict[str, str]:
        """Return what says of which weights a demo is."""
        return {
            "recipe": self.recipe.name,
            "recipe_hash": self.recipe.hash,
            "stage": self.name,
            "step": str(step),
            "software": f"mousai-kit {__version__}",
        }

    @property
    def _precision(self) -> str:
        return next(iter(self.recipe.stages.values())).train.precision
