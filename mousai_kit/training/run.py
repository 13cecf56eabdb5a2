"""Training of a recipe: each stage whose weights are missing, unfinished or another recipe's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from mousai_kit.core.console import Screen
from mousai_kit.core.errors import (
    Problem,
    RecipeError,
    RequestError,
    TrainingError,
    format_path,
    format_value,
    some,
)
from mousai_kit.data.stage_data import StageData
from mousai_kit.distributed import Communicator
from mousai_kit.generation.trained import Pipeline
from mousai_kit.models.blocks import NEEDED, CompileError, check_compiler
from mousai_kit.models.cascade import Cascade
from mousai_kit.models.memory import report_out_of_memory
from mousai_kit.recipe import Recipe, for_training, phases, settings_place, trainings
from mousai_kit.recipe.paths import paths_in
from mousai_kit.runs import checkpoint
from mousai_kit.runs.run import Run
from mousai_kit.runs.run_folder import INITIAL_WEIGHTS, RunFolder
from mousai_kit.runs.status import is_trained, is_up_to_date
from mousai_kit.training.callbacks import default_callbacks
from mousai_kit.training.changed_settings import adopt_checkpoints, settings_changed, step_of
from mousai_kit.training.checkpointing import TrainingPaths
from mousai_kit.training.checks import check_training
from mousai_kit.training.finetuning import (
    FineTuning,
    InitialWeights,
    check_weights_fit,
    find_initial_weights,
    initial_weight_notes,
)
from mousai_kit.training.planning.disk import check_training_space
from mousai_kit.training.signals import raise_on_signals
from mousai_kit.training.train_step import NOT_SHARDED
from mousai_kit.training.trainer import Trainer


def train(
    recipe: Recipe,
    folder: str | Path | None = None,
    *,
    quiet: bool = False,
    go_on: bool = False,
) -> Pipeline:
    """Train what is not trained yet in a run folder (`runs/<name>`), then load all of it.

    As `mousai-kit run` does before it makes music: what was begun is gone on with. With `go_on`,
    so is a stage of which only `train` settings have changed, instead of training anew.
    """
    if not isinstance(recipe, Recipe):
        told = f"mk.train takes a recipe, as mk.load_recipe(...) gives (got {format_value(recipe)})"
        raise RequestError(told)
    run = RunFolder.default(recipe) if folder is None else RunFolder(Path(folder))
    with torch.random.fork_rng(devices=[]):
        with run.lock():
            train_run(Run(recipe, run, Screen(quiet=quiet)), go_on=go_on)
        return Pipeline(Run(recipe, run, Screen(quiet=quiet)).load_for_inference())


def train_run(run: Run, *, go_on: bool = False) -> None:
    """Train every stage whose weights are missing, unfinished or another recipe's.

    With `go_on`, a stage whose `train` settings alone have changed goes on from its checkpoint. A
    signal that asks for an end interrupts as Ctrl-C does.
    """
    with raise_on_signals():
        RunTraining(run, go_on=go_on).train_all()


class RunTraining:
    """Trains the stages of a system, one after the other, and loads those that are trained."""

    def __init__(self, run: Run, *, whole: StageData | None = None, go_on: bool = False) -> None:
        """`whole` are the data of the run of which this trains a part."""
        self.go_on = go_on
        self.run, self.recipe, self.folder = run, run.recipe, run.folder
        self.ranks, self.screen, self.cascade = run.ranks, run.screen, run.cascade
        self.data = StageData.of(run) if whole is None else StageData(run, whole=whole)

    def train_all(self) -> None:
        """Train every stage that needs it, the lowest first."""
        with self.screen.busy("checking the recipe"):
            notes = check_training(self.recipe, self.cascade)
        for line in notes:
            self.screen.print(line)
        check_distributed(self.recipe, self.ranks)
        trained = partial(is_up_to_date, self.recipe, self.folder)
        with self.screen.busy("looking at what stages start from", drawn=False):
            begun = find_initial_weights(self.recipe, self.folder, trained, self.screen.print)
        with self.screen.busy("looking at music and disk"):
            self.ranks.in_turn(partial(check_training_space, self.recipe, self.folder))
            self._check_compiler(trained)
        with self.screen.busy("fetching what stages need", drawn=False):
            self.ranks.in_turn(self._fetch)  # once from the hub, then from the disk
        untrained = {name: given for name, given in begun.items() if not trained(name)}
        check_weights_fit(self.recipe, self.cascade, untrained)
        self.ranks.first(partial(self.folder.write, "recipe.yaml", self.recipe.to_yaml()))
        for option, path in paths_in(self.recipe.data).items():
            self.screen.print(f"data.{option}: {path}")
        for name, given in begun.items():
            self.train_or_load(name, given)

    def train_or_load(self, name: str, given: InitialWeights | None) -> None:
        """Load a stage that is trained; train another one, from given weights if there are any."""
        files, header = self.folder.stage(name), self.folder.provenance(self.recipe, name)
        header |= {INITIAL_WEIGHTS: given.digest} if given else {}
        self.ranks.first(partial(self._make_room, name, header))
        if is_trained(self.recipe, self.folder, name):
            self.run.load_stage(name)
            known = f"imported from {files.origin}" if files.origin else "trained already"
            self.screen.print(f"{name}: {known} ({files.weights})")
        else:
            self._train(name, header, given or InitialWeights.find(self.recipe, name))

    def _check_compiler(self, trained: Callable[[str], bool]) -> None:
        """RecipeError where a stage is to be compiled that can't be, before hours of others."""
        left = (name for name in self.recipe.stages if not trained(name))
        for recipe, name in chain.from_iterable(trainings(self.recipe, stage) for stage in left):
            if recipe.stages[name].train.compile:
                try:
                    check_compiler(self.run.device)
                except CompileError as error:
                    place = ("stages", name, "train", "compile")
                    told = f"{error}; install what it needs ({NEEDED}), or leave `compile` out"
                    raise self.recipe.error_at(place, told) from error

    def _fetch(self) -> None:
        for stage in self.cascade.stages.values():
            stage.download()
        for metric in self.recipe.evaluate.metrics:
            for embedding in metric.build(sample_rate=self.recipe.audio.sample_rate).embeddings:
                embedding.download()

    def _make_room(self, name: str, header: dict[str, Any]) -> None:
        """Go on with weights of another recipe, if that is wanted and can be, else set them aside.

        It is said in what they differ.
        """
        files = self.folder.stage(name)
        path = files.latest_weights()
        if path and (different := self.folder.mismatches(path, header)):
            if self.go_on and settings_changed(self.folder, header):
                with self.screen.busy(f"taking over the checkpoints of {name}"):
                    told = adopt_checkpoints(self.folder, header)
            else:
                told = self._set_aside(name, header, different)
            self.screen.print(told)
        files.path.mkdir(exist_ok=True)

    def _set_aside(self, name: str, header: dict[str, Any], different: list[str]) -> str:
        """Keep a stage's folder under another name; return what to say of it.

        Stages inside that were trained before stay: they tell themselves what made them.
        """
        files, hint = self.folder.stage(name), ""
        if self.go_on:
            hint = "; --go-on is for a checkpoint that differs in settings of `train` alone"
        elif settings_changed(self.folder, header):
            step = step_of(self.folder, header)
            hint = (
                f"; to go on from step {step} instead, stop, give that folder its name back, and "
                "`run` with --go-on"
            )
        kept = files.set_aside(but=self.cascade.stages[name].first)
        return (
            f"{name}: the weights here are another recipe's (differs in {some(different)}); they "
            f"are kept in {kept}, and training begins anew{hint}"
        )

    def _train(self, name: str, header: dict[str, Any], given: InitialWeights | None) -> None:
        files, stage = self.folder.stage(name), self.cascade.stages[name]
        tuned = FineTuning(self.recipe, name, stage, given)
        for line in initial_weight_notes(name, given, header, learns=tuned.learns):
            self.screen.print(line)
        if not tuned.learns:
            steps = self.recipe.stages[name].train.steps
            self.ranks.first(partial(tuned.adopt, files, {**header, "step": steps, "seconds": 0.0}))
            self._take_over(name)
            return
        self._learn_first(name)
        with self.screen.busy(f"preparing {name}"):
            training = self._begin(name, header, tuned)
        settings = training.settings
        if settings.compile and not training.is_finished:
            self.screen.print(f"{name}: compiling blocks in the first step, which may take minutes")
        with report_out_of_memory(
            f"{format_path(settings_place(name))}: a step does not fit into memory; lower `batch` "
            f"(now {settings.batch}) or `length` (now {settings.length}), raise `accumulate` (now "
            f"{settings.accumulate}); `mousai-kit plan` measures what would fit"
        ):
            training.run()
        if tuned.saves_trainable_only:
            self.ranks.first(partial(tuned.end, files))
            self._take_over(name)
        self.screen.print(f"{name}: trained, {training.step} steps in {training.seconds:.0f} s")

    def _learn_first(self, name: str) -> None:
        """Train the stages inside a stage, or find them trained, and load them into it."""
        for whole in phases(self.recipe, name):
            phase = PhaseSystem(self.run, whole)
            training = RunTraining(phase, whole=self.data, go_on=self.go_on)
            training.train_or_load(whole, None)
            tensors, files = phase.folder.load(phase.recipe, whole), phase.folder.stage(whole)
            inner = self.cascade.stages[name].first[whole.removeprefix(f"{name}/")]
            checkpoint.load_into(inner, tensors, origin=str(files.weights))
            inner.eval()

    def _begin(self, name: str, header: dict[str, Any], tuned: FineTuning) -> Trainer:
        """Return a stage's training, at its first step or where it goes on."""
        files, stage = self.folder.stage(name), self.cascade.stages[name]
        clips = self.data.clips(name, header, "train", self.ranks)
        if clips is None:
            raise TrainingError(f"none of the music can be decoded; see {self.folder.skipped_list}")
        held_out = self.data.clips(name, header, "validation", self.ranks)
        resumed = files.checkpoint is not None
        if not resumed and tuned.needs_preparing:
            self.data.fit_statistics(name, clips, self.ranks)
        tuned.begin()
        if not resumed:
            self.data.tell_cut_captions(name, clips)
        weights = files.trainable_weights if tuned.saves_trainable_only else files.weights
        training = Trainer(
            name,
            stage,
            self.recipe.stages[name].train,
            seed=self.recipe.seed,
            place=TrainingPaths(files.checkpoints, weights, files.log, header),
            clips=clips,
            held_out=held_out,
            report=self.data.report_skipped,
            observers=default_callbacks(
                self.recipe,
                name,
                cascade=self.cascade,
                folder=self.folder,
                screen=self.screen,
                report=self.data.report_skipped,
            ),
            ranks=self.ranks,
            screen=self.screen,
        )
        if resumed:
            self._restore(training)
        self.data.foresee(name, clips, training.upcoming, self.ranks)
        return training

    def _restore(self, training: Trainer) -> None:
        """Let a training go on from its checkpoint, and say from where."""
        for line in training.restore():
            self.screen.print(f"{training.name}: {line}")
        done = "all steps are done; its weights are written anew"
        told = done if training.is_finished else f"going on from step {training.step}"
        self.screen.print(f"{training.name}: {told}")

    def _take_over(self, name: str) -> None:
        """Load what the main process made of a stage's weights, where this is another one."""
        if not self.ranks.main:
            fresh = Cascade.build(self.recipe, device=self.run.device)
            self.cascade.stages[name] = fresh.stages[name]
            self.run.load_stage(name)


class PhaseSystem(Run):
    """A system while a stage inside one of its stages is trained, alone: it is the highest one."""

    def __init__(self, whole: Run, name: str) -> None:
        """Build what is trained anew; the stages below are the whole system's."""
        self.recipe = for_training(whole.recipe, name)
        self.folder, self.screen, self.adapters = whole.folder, whole.screen, ()
        self.ranks, self.device = whole.ranks, whole.device
        built = Cascade.build(self.recipe, device=self.device)
        below = {
            stage: whole.cascade.stages[stage] for stage in self.recipe.stages if stage != name
        }
        self.cascade = Cascade(built.audio, built.stages | below, built.precision)


def check_distributed(recipe: Recipe, ranks: Communicator) -> None:
    """Raise RecipeError where processes can't take equal parts of a batch, or of the weights."""
    if faults := [*_faults(recipe, ranks)]:
        raise RecipeError(*faults)


def _faults(recipe: Recipe, ranks: Communicator) -> Iterator[Problem]:
    count = ranks.own.count
    for part, name in chain.from_iterable(trainings(recipe, stage) for stage in recipe.stages):
        train = part.stages[name].train
        if train.batch % count:
            yield from recipe.error_at(
                ("stages", name, "train", "batch"),
                f"is shared by {count} processes: must be a multiple of {count} "
                f"(got {train.batch})",
            ).problems
        if ranks.is_sharded and train.precision == "fp16":
            yield from recipe.error_at(
                ("stages", name, "train", "precision"),
                "fp16 does not go with FSDP, where each process has a part of the weights; "
                "use bf16, or launch without --use_fsdp",
            ).problems
        if ranks.is_sharded and part.stages[name].model.component.needs_average:
            yield from recipe.error_at(("stages", name, "model"), NOT_SHARDED).problems
