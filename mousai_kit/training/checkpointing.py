"""Checkpointing: what a training leaves on the disk, and goes on from.

A checkpoint is copied in memory, which training waits for, and written while it goes on. Only when
it is on the disk under its name, and was read back, older ones are removed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

from torch import Tensor

from mousai_kit.core import files
from mousai_kit.core.errors import MousaiError, Problem, TrainingError, WeightsError
from mousai_kit.models.memory import free_disk_bytes
from mousai_kit.recipe import Train
from mousai_kit.runs import checkpoint
from mousai_kit.training.callbacks.base import Callback, TrainerView
from mousai_kit.training.callbacks.log import JsonlLogger
from mousai_kit.training.state import TrainState, checkpoint_size

FAILURES = 5
"""Checkpoints in a row that can't be written before training stops."""
GIB = 2**30

Load = Callable[[dict[str, Tensor], dict[str, Any], str], None]
"""Goes on from a checkpoint's tensors, header and name; WeightsError where they don't fit."""


@dataclass(frozen=True, slots=True)
class TrainingPaths:
    """Where a stage's training lives on the disk, and what its files say of it."""

    checkpoints: Path
    weights: Path
    log: Path
    header: dict[str, Any]


class Checkpointer:
    """The checkpoints of a training, of which the last few are kept, with its log and best weights.

    Of several processes that train together the main one writes; `save`, `restore` and `rollback`
    must be called by all.
    """

    def __init__(self, state: TrainState, place: TrainingPaths, settings: Train) -> None:
        self.state, self.settings = state, settings
        self.folder = place.checkpoints
        self.main = state.learner.ranks.main
        self.log = JsonlLogger(place.log)
        self.best = BestWeights(place.weights.with_name("best.safetensors"))
        self.on_checkpoint: int | None = None
        """The step that was last handed in to be saved, or gone on from."""
        self._writer, self._failures = Writer(), 0

    @property
    def observers(self) -> list[Callback]:
        """Return those that write as training goes."""
        chosen = self.settings.keep_best or self.settings.final_weights == "best"
        return [self.log, self.best] if chosen else [self.log]

    def begin(self) -> None:
        """Remove half-written files; TrainingError where the disk is too small for the training."""
        sizes, keep = checkpoint_size(self.state.learner.stage), self.settings.keep_checkpoints
        size, beside = sizes["checkpoint"], 2 * sizes["weights"]
        self.folder.mkdir(exist_ok=True)
        files.remove_partial_files(self.folder)
        files.remove_partial_files(self.folder.parent)
        there = [*self.folder.glob("*.safetensors"), *self.folder.parent.glob("*.safetensors")]
        needed = (keep + 1) * size + beside - sum(path.stat().st_size for path in there)
        free = free_disk_bytes(self.folder.parent)
        if needed > free:
            what = (
                f"{keep + 1} checkpoints of {size / GIB:.2g} GiB, and the weights, need "
                f"{needed / GIB:.2g} GiB more on the disk and {free / GIB:.2g} GiB are free; free "
                "some, lower `keep_checkpoints`, or name another folder for the run"
            )
            raise TrainingError.about(self.folder.parent, what)

    def save(self) -> None:
        """Begin to write a checkpoint from which training goes on to the very step.

        It is copied at once, and written when what it rests on is on the disk: the log up to its
        step, and the best weights.
        """
        step = self.state.step
        if self.on_checkpoint == step:
            return
        tensors = self.state.tensors(keep=self.main)
        if self.main:
            self._writer.wait()
            copy, header = checkpoint.snapshot(tensors), self.state.values()
            self._writer.begin(lambda: self._write(step, copy, header))
        self.on_checkpoint = step

    def trouble(self) -> str:
        """Return, once, what kept the last checkpoint from being written; empty if nothing did.

        TrainingError where that has happened too often in a row.
        """
        if (failure := self._writer.failure()) is None:
            return ""
        if self._failures >= FAILURES:
            raise TrainingError(f"{failure}; that was so {FAILURES} times in a row")
        newest = self.newest()
        last = f"the last checkpoint is {newest}" if newest else "there is no checkpoint yet"
        return f"{failure}; training goes on, and {last}"

    def wait(self) -> None:
        """Wait until nothing is being written."""
        self._writer.wait()
        self.best.wait()

    def flush(self) -> None:
        """Wait until the last checkpoint is on the disk; WeightsError where it can't be."""
        self._writer.wait()
        if failure := self._writer.failure():
            raise failure

    def newest(self) -> Path | None:
        """Return the newest checkpoint that is on the disk, once none is being written."""
        self._writer.wait()
        return next(iter(checkpoint.list_checkpoints(self.folder)), None)

    def restore(self) -> list[str]:
        """Go on from the newest good checkpoint; return a line on each newer one, now set aside.

        WeightsError, and all left as it is, where none is good. Of several processes the first
        sets broken ones aside, so that all read the same.
        """
        ranks, lines = self.state.learner.ranks, list[str]()
        if not ranks.own.alone:
            lines = ranks.all_gather(self._restore(lambda *_: None) if self.main else [])[0]
        return lines + self._restore(self.state.load)

    def rollback(self) -> None:
        """Take the last checkpoint's weights, averages and moments, if there is one.

        All else stays: the step, and so the place in the data, and what observers remember.
        """
        newest = self.newest() if self.main else None
        if self.state.learner.ranks.all_gather(newest is not None)[0]:
            self._restore(self.state.load_learner)

    def _restore(self, load: Load) -> list[str]:
        broken: list[tuple[Path, str]] = []
        for path in checkpoint.list_checkpoints(self.folder):
            try:
                tensors, header = checkpoint.read_checkpoint(path)
                load(tensors, header, str(path))
            except WeightsError as error:
                broken.append((path, error.problems[0].message.partition("; ")[0]))
                continue
            self.on_checkpoint = header["step"]
            return [_set_aside(*found) for found in broken]
        raise _none_good(self.folder, broken)

    def _write(self, step: int, copy: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
        """Write a checkpoint, then remove those before the last few."""
        self._failures += 1
        self.log.sync()
        self.best.wait()
        checkpoint.write_snapshot(checkpoint.checkpoint_path(self.folder, step), copy, header)
        for old in checkpoint.list_checkpoints(self.folder)[self.settings.keep_checkpoints :]:
            with suppress(OSError):
                old.unlink()
        self._failures = 0


def _set_aside(path: Path, why: str) -> str:
    """Rename a checkpoint that can't be gone on from; return what to say of it."""
    aside = path.with_name(f"{path.name}.broken")
    path.replace(aside)
    return f"{path}: {why}; it is kept as {aside.name}, and the one before is used"


def _none_good(folder: Path, broken: list[tuple[Path, str]]) -> WeightsError:
    """Return what to say where no checkpoint can be gone on from: why, and how to begin anew."""
    told = [Problem(str(path), "", why) for path, why in broken]
    what = f"no checkpoint can be used; move {folder.parent} away and `run` again to begin anew"
    return WeightsError(*told, Problem(str(folder), "", what))


class BestWeights(Callback):
    """Writes the averaged weights, where their loss with the right condition is the least so far.

    The file is one of weights, as the finished ones.
    """

    name = "best"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.step, self.loss = 0, math.inf
        self._writer = Writer()

    def on_validation_end(self, training: TrainerView, losses: dict[str, float]) -> None:
        """Keep the weights of now, if they are the best."""
        if failure := self._writer.failure():
            training.warn(f"{failure}; training goes on without")
        if not losses["right"] < self.loss:
            return
        self._writer.wait()
        self.step, self.loss = training.step, losses["right"]
        with training.ema_weights():
            copy = checkpoint.snapshot(training.stage.state_dict())
        header = training.header() | {"validation": losses}
        self._writer.begin(lambda: checkpoint.write_snapshot(self.path, copy, header))

    def wait(self) -> None:
        """Wait until the file is there."""
        self._writer.wait()

    def weights(self) -> dict[str, Tensor] | None:
        """Return the best weights; None where the file holds other ones, or can't be read."""
        self.wait()
        try:
            tensors, header = checkpoint.read_checkpoint(self.path)
        except WeightsError:
            return None
        return tensors if header["step"] == self.step else None

    def state(self) -> dict[str, Any]:
        """Return which step was the best."""
        return {"step": self.step, "loss": self.loss} if self.step else {}

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned."""
        self.step, self.loss = state.get("step", 0), state.get("loss", math.inf)


class Writer:
    """Does one piece of writing at a time; what it can't write, it tells when asked."""

    def __init__(self) -> None:
        self._thread: Thread | None = None
        self._failure: BaseException | None = None

    def begin(self, work: Callable[[], object]) -> None:
        """Begin a piece of work, as soon as the one before is done.

        A second Ctrl-C leaves it unfinished: the file is then as it was before.
        """
        self.wait()
        self._failure = None
        thread = Thread(target=self._do, args=(work,), name="writing", daemon=True)
        thread.start()
        self._thread = thread  # only now: another thread may wait for it, and can't for one to come

    def wait(self) -> None:
        """Wait until nothing is being written."""
        if self._thread is not None:
            self._thread.join()

    def failure(self) -> MousaiError | None:
        """Return, once, why the last piece of work that has ended did not succeed."""
        failure, self._failure = self._failure, None
        if failure is None or isinstance(failure, MousaiError):
            return failure
        raise failure

    def _do(self, work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as failure:  # whatever it is, it is told in the main thread
            self._failure = failure
