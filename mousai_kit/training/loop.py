"""Training: the loop for one stage, from the last checkpoint to the last step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mousai_kit import checkpoints
from mousai_kit.data import Clips
from mousai_kit.interfaces import Stage
from mousai_kit.ranks import RankError, Ranks
from mousai_kit.recipe import Train
from mousai_kit.seeds import derive
from mousai_kit.training.guard import Guard, Verdict
from mousai_kit.training.interruption import interruptible
from mousai_kit.training.learning_rate import learning_rate
from mousai_kit.training.loading import Batch, batches
from mousai_kit.training.log import Log
from mousai_kit.training.observing import Observer
from mousai_kit.training.state import packed, unpack
from mousai_kit.training.step import Learner, Taken
from mousai_kit.training.validation import Draws, draws
from mousai_kit.training.waits import Waits


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stage's training lives on the disk, and what its files say of it."""

    checkpoint: Path
    weights: Path
    log: Path
    header: dict[str, Any]


class Training:
    """Learns one stage. `step` and `seconds` say how far it is, `rate` how fast it last learned,
    `draws` what the last validation found, `waits` how long was waited for clips.
    """

    def __init__(
        self,
        name: str,
        stage: Stage,
        settings: Train,
        *,
        seed: int,
        place: Place,
        clips: Clips,
        held_out: Clips | None,
        report: Callable[[str], None],
        observers: Sequence[Observer] = (),
        ranks: Ranks | None = None,
    ) -> None:
        self.name, self.stage, self.settings, self.place = name, stage, settings, place
        self.clips, self.held_out, self.report = clips, held_out, report
        self.seed, self.ranks = derive(seed, name), ranks or Ranks()
        self.learner = Learner(stage, settings, seed=self.seed, ranks=self.ranks)
        self.guard = Guard(name, place.checkpoint)
        self.observers = [Log(place.log), *observers] if self.ranks.main else []
        self.step, self.seconds = 0, 0.0
        self.rate = 0.0
        self.draws: Draws | None = None
        self.waits = Waits()

    def run(self) -> None:
        """Train to the end. Ctrl-C ends at the next step with a checkpoint (KeyboardInterrupt)."""
        self.stage.train()
        try:
            for observer in self.observers:
                observer.begun(self)
            self._run()
        except RankError:
            raise RankError(self.name, f"step {self.step + 1}", self._kept) from None
        finally:
            for observer in self.observers:
                observer.ended(self)

    def learn(self, batch: Batch) -> Taken:
        """Take one step. TrainingError, and no step, where the guard says so."""
        taken = self.learner.gradients(batch, self.step)
        for line in taken.bad:
            self.report(line)
        verdict = self.guard.judge(self.step + 1, taken, scaled=self.learner.scaled)
        self.rate = self.learning_rate
        if verdict is Verdict.TAKE:
            self.learner.update(self.rate, self.step + 1)
        else:
            self.learner.leave()
        self.step += 1
        return taken

    def warn(self, warning: str) -> None:
        """Tell all who look on what may be going wrong, in one line with its figure."""
        for observer in self.observers:
            observer.warned(self, warning)

    @property
    def progress(self) -> float:
        """Return how much of the steps or of the minutes is used, whichever is more, in [0, 1]."""
        minutes = self.settings.minutes
        timed = 0.0 if minutes is None else self.seconds / (60 * minutes)
        return min(1.0, max(self.step / self.settings.steps, timed))

    @property
    def learning_rate(self) -> float:
        """Return the next step's learning rate."""
        return learning_rate(self.settings, self.step, self.progress)

    @property
    def finished(self) -> bool:
        """Return whether the steps are done or the time is up."""
        return self.progress >= 1

    def save(self) -> None:
        """Write a checkpoint from which training goes on to the very step."""
        learner = self.learner
        tensors = packed(self.stage, learner.ema, learner.optimizer)
        if self.ranks.main:
            checkpoints.write(self.place.checkpoint, tensors, self._header() | self._state())
        for observer in self.observers:
            observer.saved(self)

    def restore(self) -> None:
        """Go on from the checkpoint."""
        tensors, header = checkpoints.read(self.place.checkpoint)
        origin, learner = str(self.place.checkpoint), self.learner
        unpack(tensors, self.stage, learner.ema, learner.optimizer, origin=origin)
        self.step, self.seconds = header["step"], header["seconds"]
        learner.load(header.get("learner", {}))
        self.guard.load(header.get("guard", {}))
        told = header.get("observers", {})
        for observer in self.observers:
            observer.load(told.get(observer.name, {}))

    def finish(self) -> None:
        """Write the averaged weights, and the checkpoint to go on from with more steps."""
        self.save()
        self.learner.ema.swap()
        if self.ranks.main:
            checkpoints.write(self.place.weights, self.stage.state_dict(), self._header())
        self.stage.eval()
        self.ranks.wait()

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Return the averaged weights' loss on held-out clips: right, other and no condition.

        The noise is the same every time, so that figures can be compared along a run.
        """
        if not self.ranks.main or self.held_out is None or not len(self.held_out):
            return {}
        with self.averaged():
            self.draws = draws(
                self.stage, self.held_out, seed=self.seed, precision=self.settings.precision
            )
        return self.draws.means

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Evaluate with the averaged weights for a while."""
        self.learner.ema.swap()
        self.stage.eval()
        try:
            yield
        finally:
            self.learner.ema.swap()
            self.stage.train()

    def _run(self) -> None:
        started = time.monotonic() - self.seconds
        stop = False
        with interruptible(patient=not self.ranks.place.alone) as interrupted:
            for batch in self.waits.timed(self._batches()):
                taken = self.learn(batch)
                self.seconds = time.monotonic() - started
                for observer in self.observers:
                    observer.stepped(self, taken)
                if self.step % self.settings.validate_every == 0 or self.finished:
                    self._validate()
                stop = self._agreed(interrupted.is_set())
                if self.finished:
                    break
                if self.step % self.settings.checkpoint_every == 0 or stop:
                    self.save()
                if stop:
                    break
            if self.finished:
                self.finish()
            if stop or interrupted.is_set():
                raise KeyboardInterrupt

    def _agreed(self, stop: bool) -> bool:
        """Take over the main process's clock; return whether any process is to stop."""
        said = self.ranks.gathered([self.seconds, stop])
        self.seconds = said[0][0]
        return any(wanted for _, wanted in said)

    @property
    def _kept(self) -> str:
        """Return what is left where training breaks off."""
        kept = self.place.checkpoint
        if not kept.exists():
            return "there is no checkpoint yet"
        return f"the last good checkpoint is {kept}; `run` goes on from it"

    def _validate(self) -> None:
        if values := self.validate():
            for observer in self.observers:
                observer.validated(self, values)

    def _batches(self) -> Iterator[Batch]:
        if self.finished:
            return iter(())
        return batches(
            self.clips,
            seed=self.seed,
            batch=self.settings.batch,
            first=self.step,
            steps=self.settings.steps,
            workers=self.settings.workers,
            pinned=self.learner.device.type == "cuda",
            part=self.ranks.part(self.settings.batch),
        )

    def _header(self) -> dict[str, Any]:
        return {**self.place.header, "step": self.step, "seconds": round(self.seconds, 3)}

    def _state(self) -> dict[str, Any]:
        """Return what else must be remembered, by whom; who has nothing is left out."""
        told = {it.name: it.state() for it in self.observers if it.name}
        parts = {"learner": self.learner.state(), "guard": self.guard.state(), "observers": told}
        return {part: value for part, value in parts.items() if value}
