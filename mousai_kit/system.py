"""A system: a recipe and its run folder. Trains what needs it, loads what is trained."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from mousai_kit import checkpoints, devices
from mousai_kit.cascade import Cascade
from mousai_kit.compiling import NEEDED, CompileError, check_compiler
from mousai_kit.console import Screen
from mousai_kit.errors import TrainingError
from mousai_kit.memory import out_of_memory_told
from mousai_kit.onlookers import check_showing, onlookers
from mousai_kit.ranks import joined
from mousai_kit.recipe import Recipe
from mousai_kit.room import check_disk
from mousai_kit.runs import START, RunFolder, some
from mousai_kit.sharing import check_shared
from mousai_kit.stage_data import StageData
from mousai_kit.stage_folder import StageFolder
from mousai_kit.standing import is_trained, stands
from mousai_kit.training.files import Place
from mousai_kit.training.interruption import heeded
from mousai_kit.training.loop import Training
from mousai_kit.tuning.adapter import Worn
from mousai_kit.tuning.given import Given
from mousai_kit.tuning.starting import check, check_fit, foreign, starts
from mousai_kit.tuning.tuned import Tuned


class System:
    """The cascade of a recipe with the weights of a run folder."""

    def __init__(
        self, recipe: Recipe, folder: RunFolder, screen: Screen, adapters: Sequence[Worn] = ()
    ) -> None:
        """Build the stages; `adapters` are put on them when they are loaded to play."""
        self.recipe, self.folder, self.screen, self.adapters = recipe, folder, screen, adapters
        device = devices.resolve(recipe.device)
        self.ranks = joined(device.type)
        self.device = devices.resolve(str(self.ranks.device(device)))
        self.cascade = Cascade.build(recipe, device=self.device)
        self.data = StageData(recipe, folder, self.cascade, screen, main=self.ranks.main)

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
        self.load(names)
        for it in self.adapters:
            it.put_on(self.cascade.stages, self.folder, self.screen.say)
        self.cascade.settle()
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
        check_showing(self.recipe, self.cascade)
        check(self.recipe, self.cascade)
        check_shared(self.recipe, self.ranks)
        trained = partial(stands, self.recipe, self.folder)
        begun = starts(self.recipe, self.folder, trained, self.screen.say)
        self.ranks.in_turn(partial(check_disk, self.recipe, self.folder))
        self._check_compiler(trained)
        self.ranks.in_turn(self._fetch)  # once from the hub, then from the disk
        check_fit(
            self.recipe, self.cascade, {it: None if trained(it) else begun[it] for it in begun}
        )
        self.ranks.first(self._write_recipe)
        for name, given in begun.items():
            files, header = self.folder.stage(name), self.folder.header(self.recipe, name)
            header |= {START: given.digest} if given else {}
            self.ranks.first(partial(self._make_room, files, header))
            if is_trained(self.recipe, self.folder, name):
                self._load(name)
                known = f"imported from {files.origin}" if files.origin else "trained already"
                self.screen.say(f"{name}: {known} ({files.weights})")
            else:
                self._train(name, header, given or Given.find(self.recipe, name))

    def _check_compiler(self, trained: Callable[[str], bool]) -> None:
        """RecipeError where a stage is to be compiled that can't be, before hours of others."""
        for name, stage in self.recipe.stages.items():
            if stage.train.compile and not trained(name):
                try:
                    check_compiler(self.device)
                except CompileError as error:
                    place = ("stages", name, "train", "compile")
                    told = f"{error}; install what it needs ({NEEDED}), or leave `compile` out"
                    raise self.recipe.fault(place, told) from error

    def _fetch(self) -> None:
        for stage in self.cascade.stages.values():
            stage.ready()

    def _write_recipe(self) -> None:
        self.folder.write("recipe.yaml", self.recipe.dump())

    def _make_room(self, files: StageFolder, header: dict[str, Any]) -> None:
        self._set_aside_what_differs(files, header)
        files.path.mkdir(exist_ok=True)

    def fresh(self) -> Cascade:
        """Return the cascade as before its first step, with what was measured of the data."""
        cascade = Cascade.build(self.recipe, device=self.device)
        for name, stage in cascade.stages.items():
            untrained = {key: value.clone() for key, value in stage.named_parameters()}
            state = copy.deepcopy(self.cascade.stages[name].state_dict())
            stage.load_state_dict(state | {k: v for k, v in untrained.items() if k in state})
        return cascade

    def _train(self, name: str, header: dict[str, Any], given: Given | None) -> None:
        files, stage = self.folder.stage(name), self.cascade.stages[name]
        tuned = Tuned(self.recipe, name, stage, given)
        for line in foreign(name, given, header):
            self.screen.say(line)
        if not tuned.learns:
            steps = self.recipe.stages[name].train.steps
            self.ranks.first(partial(tuned.take, files, {**header, "step": steps, "seconds": 0.0}))
            self._take_over(name)
            return
        training = self._begun(name, header, tuned)
        settings = training.settings
        if settings.compile and not training.finished:
            self.screen.say(f"{name}: compiling blocks in the first step, which may take minutes")
        with out_of_memory_told(
            f"stages.{name}.train: a step does not fit into memory; lower `batch` "
            f"(now {settings.batch}) or `length` (now {settings.length}), raise `accumulate` (now "
            f"{settings.accumulate}); `mousai-kit plan` measures what would fit"
        ):
            training.run()
        if tuned.keeps_apart:
            self.ranks.first(partial(tuned.end, files))
            self._take_over(name)
        self.screen.say(f"{name}: trained, {training.step} steps in {training.seconds:.0f} s")

    def _begun(self, name: str, header: dict[str, Any], tuned: Tuned) -> Training:
        """Return a stage's training, at its first step or where it goes on."""
        files, stage = self.folder.stage(name), self.cascade.stages[name]
        clips = self.data.clips(name, header, "train", self.ranks)
        if clips is None:
            raise TrainingError(f"none of the music can be decoded; see {self.folder.skipped}")
        held_out = self.data.clips(name, header, "validation", self.ranks)
        resumed = files.checkpoint is not None
        if not resumed and tuned.needs_preparing:
            self.data.prepare(name, clips)
        tuned.begin()
        weights = files.learned if tuned.keeps_apart else files.weights
        training = Training(
            name,
            stage,
            self.recipe.stages[name].train,
            seed=self.recipe.seed,
            place=Place(files.checkpoints, weights, files.log, header),
            clips=clips,
            held_out=held_out,
            report=self.data.skip,
            observers=onlookers(
                self.recipe,
                name,
                cascade=self.cascade,
                folder=self.folder,
                screen=self.screen,
                report=self.data.skip,
            ),
            ranks=self.ranks,
        )
        if resumed:
            self._restore(training)
        return training

    def _restore(self, training: Training) -> None:
        """Let a training go on from its checkpoint, and say from where."""
        for line in training.restore():
            self.screen.say(f"{training.name}: {line}")
        done = "all steps are done; its weights are written anew"
        told = done if training.finished else f"going on from step {training.step}"
        self.screen.say(f"{training.name}: {told}")

    def _take_over(self, name: str) -> None:
        """Load what the main process made of a stage's weights, where this is another one."""
        if not self.ranks.main:
            self.cascade.stages[name] = Cascade.build(self.recipe, device=self.device).stages[name]
            self._load(name)

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
