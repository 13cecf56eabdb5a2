"""Files: what a training leaves on the disk, and goes on from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from mousai_kit import checkpoints
from mousai_kit.recipe import Train
from mousai_kit.training.best import Best
from mousai_kit.training.keeping import Keeping
from mousai_kit.training.log import Log
from mousai_kit.training.observing import Observer

if TYPE_CHECKING:
    from mousai_kit.training.loop import Training


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stage's training lives on the disk, and what its files say of it."""

    checkpoints: Path
    weights: Path
    log: Path
    header: dict[str, Any]


class Files:
    """The checkpoints of a training, its log, its best and its finished weights."""

    def __init__(self, place: Place, settings: Train) -> None:
        self.place, self.settings = place, settings
        self.keeping = Keeping(place.checkpoints, keep=settings.keep)
        self.log = Log(place.log)
        self.best = Best(place.weights.with_name("best.safetensors"))

    @property
    def observers(self) -> list[Observer]:
        """Return those that write as training goes."""
        chosen = self.settings.keep_best or self.settings.finish == "best"
        return [self.log, self.best] if chosen else [self.log]

    def save(self, training: Training) -> None:
        """Begin to write a checkpoint from which training goes on to the very step.

        What it rests on is on the disk before it is.
        """
        if self.keeping.saved == training.step:
            return
        main = training.ranks.main
        tensors = training.learner.packed(keep=main)
        header = training.header() | remembered(training)
        if main:
            self.keeping.save(training.step, tensors, header, after=self._rests)
        self.keeping.saved = training.step

    def restore(self, training: Training) -> list[str]:
        """Go on from the newest good checkpoint; return a line on each that is none.

        Of several processes the first sets broken ones aside, so that all read the same.
        """

        def take(tensors: dict[str, Tensor], header: dict[str, Any], origin: str) -> None:
            learner = training.learner
            learner.unpack(tensors, origin=origin)
            training.step, training.seconds = header["step"], header["seconds"]
            learner.load(header.get("learner", {}))
            training.guard.load(header.get("guard", {}))
            told = header.get("observers", {})
            for observer in training.observers:
                observer.load(told.get(observer.name, {}))

        ranks, told = training.ranks, list[str]()
        if not ranks.own.alone:
            told = ranks.gathered(self.keeping.restore(_nothing) if ranks.main else [])[0]
        return told + self.keeping.restore(take)

    def go_back(self, training: Training) -> None:
        """Take the last checkpoint's weights, averages and moments, if there is one.

        All else stays: the step, and so the place in the data, and what observers remember.
        """
        learner, ranks = training.learner, training.ranks

        def take(tensors: dict[str, Tensor], header: dict[str, Any], origin: str) -> None:
            learner.unpack(tensors, origin=origin)
            learner.load(header.get("learner", {}))

        newest = self.keeping.newest() if ranks.main else None
        if ranks.gathered(newest is not None)[0]:
            self.keeping.restore(take)

    def finish(self, training: Training) -> None:
        """Write the averaged weights, and the checkpoint to go on from with more steps."""
        self.save(training)
        self.keeping.settle()
        training.take_average()
        header = training.header()
        ranks, best = training.ranks, self.settings.finish == "best"
        if ranks.main:
            if best and (chosen := self._chosen(training)):
                training.stage.load_state_dict(chosen)
                header |= {"finish": "best", "best": self.best.state()}
            checkpoints.write(self.place.weights, training.stage.state_dict(), header)
        ranks.wait()
        if best and not ranks.main:
            training.stage.load_state_dict(checkpoints.read(self.place.weights)[0])

    def wait(self) -> None:
        """Wait until nothing is being written."""
        self.keeping.wait()
        self.best.wait()

    def _rests(self) -> None:
        """Wait for what a checkpoint rests on: the log up to its step, the best weights."""
        self.log.sync()
        self.best.wait()

    def _chosen(self, training: Training) -> dict[str, Tensor] | None:
        """Return the weights that did best; None, and a warning, where they are not there."""
        if (chosen := self.best.weights()) is None:
            training.warn(f"{self.best.path}: the best weights are not there; the last are used")
        return chosen


def _nothing(tensors: dict[str, Tensor], header: dict[str, Any], origin: str) -> None:
    """Take a checkpoint for good that can be read."""


def remembered(training: Training) -> dict[str, Any]:
    """Return what else must be remembered, by whom; who has nothing is left out."""
    told = {it.name: it.state() for it in training.observers if it.name}
    parts = {
        "learner": training.learner.state(),
        "guard": training.guard.state(),
        "observers": told,
    }
    return {part: value for part, value in parts.items() if value}
