"""A system: a recipe and its run folder. Trains what needs it, loads what is trained."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from torch import Tensor

from mousai_kit import checkpoints, devices
from mousai_kit.cascade import Cascade
from mousai_kit.console import Screen
from mousai_kit.data import Clips, dataset, readable, training_clips
from mousai_kit.errors import AudioError, TrainingError, WeightsError
from mousai_kit.interfaces import Dataset, Split
from mousai_kit.memory import out_of_memory_told
from mousai_kit.recipe import Recipe
from mousai_kit.runs import RunFolder, StageFolder, some
from mousai_kit.training import latents
from mousai_kit.training.files import Place
from mousai_kit.training.interruption import heeded
from mousai_kit.training.loop import Training
from mousai_kit.training.progress import Progress

PREPARED_CLIPS = 128
"""Clips that statistics are measured on, at most."""
VALIDATED_CLIPS = 64
"""Held-out clips that the lowest stage is validated on, at most."""


class System:
    """The cascade of a recipe with the weights of a run folder."""

    def __init__(self, recipe: Recipe, folder: RunFolder, screen: Screen) -> None:
        self.recipe, self.folder, self.screen = recipe, folder, screen
        self.device = devices.resolve(recipe.device)
        self.cascade = Cascade.build(recipe, device=self.device)
        self._skipped: dict[str, None] = {}

    def load(self, names: Sequence[str] | None = None) -> System:
        """Load the weights of all stages, or of `names`.

        WeightsError where one's are missing or another recipe's.
        """
        wanted = list(self.cascade.stages) if names is None else names
        self.folder.check_trained(self.recipe, wanted)
        for name in wanted:
            self._load(name)
        return self

    def load_to_play(self, names: Sequence[str] | None = None) -> System:
        """Load weights as `load` does, for a process that only plays: see `Cascade.settle`."""
        self.load(names).cascade.settle()
        return self

    @property
    def encoding(self) -> list[str]:
        """Return the stages that bring audio to latents and back: all that `reconstruct` needs."""
        return [name for name, stage in self.cascade.stages.items() if stage.space is not None]

    @property
    def trained(self) -> list[str]:
        """Return the stages that can be evaluated: those that encode, and those with weights."""
        return [
            name
            for name, stage in self.cascade.stages.items()
            if stage.space is not None or self.folder.stage(name).weights.exists()
        ]

    def train(self) -> None:
        """Train every stage whose weights are missing, unfinished or another recipe's.

        A signal that asks for an end interrupts as Ctrl-C does.
        """
        with heeded():
            self._train_all()

    def _train_all(self) -> None:
        for stage in self.cascade.stages.values():
            stage.ready()
        self.folder.write("recipe.yaml", self.recipe.dump())
        for name in self.cascade.stages:
            files, header = self.folder.stage(name), self.folder.header(self.recipe, name)
            self._set_aside_what_differs(files, header)
            files.path.mkdir(exist_ok=True)
            if self._is_trained(name):
                self._load(name)
                known = f"imported from {files.origin}" if files.origin else "trained already"
                self.screen.say(f"{name}: {known} ({files.weights})")
            else:
                self._train(name, header)

    def clips(self, name: str, header: dict[str, Any], split: Split) -> Clips | None:
        """Return what stage `name` learns from: audio, or for a higher stage latents of it."""
        settings = self.recipe.stages[name].train
        if split == "train":
            found = training_clips(self.recipe, length=settings.length)
            self.skip(*found.skipped())
        else:
            found = dataset(self.recipe, length=settings.length, split=split)
        if not len(found):
            return None
        if name != next(iter(self.cascade.stages)):
            return self._encoded(name, header, found, split)
        return found if split == "train" else readable(found, self.skip, at_most=VALIDATED_CLIPS)

    def fresh(self) -> Cascade:
        """Return the cascade as before its first step, with what was measured of the data."""
        cascade = Cascade.build(self.recipe, device=self.device)
        for name, stage in cascade.stages.items():
            untrained = {key: value.clone() for key, value in stage.named_parameters()}
            state = copy.deepcopy(self.cascade.stages[name].state_dict())
            stage.load_state_dict(state | {k: v for k, v in untrained.items() if k in state})
        return cascade

    def _train(self, name: str, header: dict[str, Any]) -> None:
        files, stage = self.folder.stage(name), self.cascade.stages[name]
        clips = self.clips(name, header, "train")
        if clips is None:
            raise TrainingError(f"none of the music can be decoded; see {self.folder.skipped}")
        held_out = self.clips(name, header, "validation")
        settings = self.recipe.stages[name].train
        resumed = files.checkpoint is not None
        if not resumed:
            stage.prepare(self._signals(clips), _captions(clips))
        with Progress.shown(self.screen, name, settings.steps) as progress:
            training = Training(
                name,
                stage,
                settings,
                seed=self.recipe.seed,
                place=Place(files.checkpoints, files.weights, files.log, header),
                clips=clips,
                held_out=held_out,
                report=self.skip,
                observers=[progress],
            )
            if resumed:
                for line in training.restore():
                    self.screen.say(f"{name}: {line}")
                self.screen.say(f"{name}: going on from step {training.step}")
            with out_of_memory_told(
                f"stages.{name}.train: a step does not fit into memory; lower `batch` "
                f"(now {settings.batch}) or `length` (now {settings.length})"
            ):
                training.run()
        self.screen.say(f"{name}: trained, {training.step} steps in {training.seconds:.0f} s")

    def _encoded(
        self, name: str, header: dict[str, Any], found: Dataset, split: Split
    ) -> latents.LatentClips | None:
        passes = self.recipe.stages[name].train.passes
        rounds = passes * -(-len(found) // latents.GROUP)
        with self.screen.bar(f"encoding for {name} ({split})", rounds) as bar:
            return latents.encoded(
                self.cascade,
                name,
                found,
                passes=passes,
                path=self.folder.stage(name).path / f"latents-{split}.safetensors",
                key={"key": header["key"], "below": header["below"], "split": split},
                tick=bar.advance,
                report=self.skip,
            )

    def _is_trained(self, name: str) -> bool:
        """Return whether a stage has had the steps or the minutes that the recipe asks for."""
        files, settings = self.folder.stage(name), self.recipe.stages[name].train
        if not files.weights.exists():
            return False
        header = checkpoints.header(files.weights)
        if "imported" in header:
            return True
        if header.get("finish", "last") != settings.finish and files.checkpoint is not None:
            return False  # the other weights are written from there
        timed = settings.minutes is not None and header["seconds"] >= 60 * settings.minutes
        return timed or bool(header["step"] >= settings.steps)

    def _set_aside_what_differs(self, files: StageFolder, header: dict[str, Any]) -> None:
        """Keep weights of another recipe under another name, and say in what they differ."""
        if (path := files.newest()) is None:
            return
        if different := self.folder.difference(path, header):
            kept = files.set_aside()
            self.screen.say(
                f"{files.path.name}: the weights here are another recipe's (differs in "
                f"{some(different)}); they are kept in {kept}, and training begins anew"
            )

    def _load(self, name: str) -> None:
        origin = str(self.folder.stage(name).weights)
        tensors = self.folder.load(self.recipe, name)
        checkpoints.load_into(self.cascade.stages[name], tensors, origin=origin)
        self.cascade.stages[name].eval()

    def _signals(self, clips: Clips) -> Iterator[Tensor]:
        """Yield the first clips' signals [1, c, t]; TrainingError where none can be decoded."""
        count = min(len(clips), PREPARED_CLIPS)
        bad = 0
        for index in range(count):
            try:
                wave = clips.clip(index).wave
            except AudioError as error:
                self.skip(str(error))
                bad += 1
                continue
            yield wave[None].to(self.device)
        if bad == count:
            raise TrainingError(f"none of the music can be decoded; see {self.folder.skipped}")

    def skip(self, *lines: str) -> None:
        """List music that was left out, once each, on the screen and in skipped.txt."""
        for line in lines:
            if line not in self._skipped:
                self._skipped[line] = None
                self.screen.say(f"skipped: {line}")
                with suppress(WeightsError):  # a full disk, say; the next line brings them all
                    self.folder.write(self.folder.skipped.name, "\n".join(self._skipped) + "\n")


def _captions(clips: Clips) -> list[str]:
    """Return the captions that a vocabulary is learned from."""
    if isinstance(clips, latents.LatentClips):
        return clips.texts
    assert isinstance(clips, Dataset)
    try:
        return list(clips.captions())
    except AudioError:
        good = readable(clips, lambda _: None)
        return [good.clip(index).text for index in range(len(good))] if good else []
