"""Training: the loop for one stage, from the last checkpoint to the last step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import torch

from mousai_kit.compiling import CompileError
from mousai_kit.data import Clips
from mousai_kit.errors import AudioError
from mousai_kit.interfaces import Stage
from mousai_kit.ranks import RankError, Ranks
from mousai_kit.recipe import Train
from mousai_kit.seeds import derive
from mousai_kit.training import state
from mousai_kit.training.files import Files, Place
from mousai_kit.training.guard import Guard, Verdict
from mousai_kit.training.interruption import Interruption, interruptible
from mousai_kit.training.learning_rate import learning_rate
from mousai_kit.training.loading import Batch, batches
from mousai_kit.training.observing import Observer
from mousai_kit.training.step import Learner, Taken
from mousai_kit.training.validation import Draws, draws
from mousai_kit.training.waits import Waits

AVERAGE = "average"
"""What the main process asks of the others where each has a part of the averaged weights."""


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
        self.files = Files(place, settings)
        self.guard = Guard(name, settings, self.files.keeping.newest)
        self.observers = [*self.files.observers, *observers] if self.ranks.main else []
        self.step, self.seconds, self.rate = 0, 0.0, 0.0
        self._started, self.waits = 0.0, Waits()
        self.draws: Draws | None = None

    def run(self) -> None:
        """Train to the end. Ctrl-C ends at the next step with a checkpoint (KeyboardInterrupt)."""
        self.stage.train()
        if self.ranks.main:
            self.files.keeping.begin(*state.sizes(self.stage, self.learner.ema))
        try:
            for observer in self.observers:
                observer.begun(self)
            self._agreed(False)
            self._run()
        except RankError:
            raise RankError(self.name, f"step {self.step + 1}", self._kept) from None
        except Exception:
            self.files.wait()
            raise
        finally:
            for observer in self.observers:
                observer.ended(self)

    def learn(self, batch: Batch) -> Taken:
        """Take one step. TrainingError, and no step, where the guard says so."""
        taken = self.learner.gradients(batch, self.step)
        for line in taken.bad:
            self.report(line)
        judged = self.guard.judge(self.step + 1, taken, scaled=self.learner.scaled)
        self.rate = self.learning_rate
        if judged.verdict is Verdict.TAKE:
            self.learner.update(self.rate, self.step + 1)
        else:
            self.learner.leave()
        if judged.verdict is Verdict.BACK_OFF:
            self.files.go_back(self)
        self.step += 1
        if judged.warning:
            self.warn(judged.warning)
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
        return self.guard.share * learning_rate(self.settings, self.step, self.progress)

    @property
    def finished(self) -> bool:
        """Return whether the steps are done or the time is up."""
        return self.progress >= 1

    def save(self) -> None:
        """Begin to write a checkpoint from which training goes on to the very step."""
        self.files.save(self)
        for observer in self.observers:
            observer.saved(self)

    def restore(self) -> list[str]:
        """Go on from the newest good checkpoint; return a line on each that is none."""
        return self.files.restore(self)

    def header(self) -> dict[str, Any]:
        """Return what files of now say of where they come from."""
        return {**self.place.header, "step": self.step, "seconds": round(self.seconds, 3)}

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
        """Evaluate `stage` with the averaged weights for a while, in the main process."""
        if self.ranks.sharded:  # the others are waiting for what this one may ask of them
            self.ranks.gathered([AVERAGE, self.seconds, False])
            self.stage.load_state_dict(self.learner.average(keep=True))
            self.stage.eval()
            yield
            return
        self.learner.ema.swap()
        self.stage.eval()
        try:
            yield
        finally:
            self.learner.ema.swap()
            self.stage.train()

    def take_average(self) -> None:
        """Make the averaged weights the stage's own, for good."""
        if self.ranks.sharded:
            self.stage.load_state_dict(self.learner.average(keep=True))
        else:
            self.learner.ema.swap()
        self.learner.optimizer.zero_grad()  # the memory is another stage's now
        self.stage.eval()

    def _run(self) -> None:
        self._started = time.monotonic() - self.seconds
        with interruptible(patient=not self.ranks.own.alone) as interruption:
            for batch in interruption.until(self.waits.timed(self._batches())):
                if self._step(batch, interruption):
                    break
            if self.finished:
                self.files.finish(self)
            elif self.step:
                self.save()
                self.files.keeping.settle()
                self.ranks.wait()  # whoever ends first is followed by all
            interruption.check()

    def _step(self, batch: Batch, interruption: Interruption) -> bool:
        """Take a step, tell of it, validate and save where it is time to; return whether to end."""
        try:
            taken = self.learn(batch)
        except CompileError:  # Ctrl-C ends a C++ compiler, too: this step is not taken
            if interruption.asked is None or not self.ranks.own.alone:
                raise
            return True
        self.seconds = time.monotonic() - self._started
        for observer in self.observers:
            observer.stepped(self, taken)
        if self.step % self.settings.validate_every == 0 or self.finished:
            self._validate()
        if trouble := self.files.keeping.trouble():
            self.warn(trouble)
        stop = self._agreed(interruption.asked is not None)
        if self.step % self.settings.checkpoint_every == 0 and not self.finished:
            self.save()
        if stop:
            interruption.ask()
        return stop

    def _agreed(self, stop: bool) -> bool:
        """Take over the main process's clock; return whether any process is to stop.

        Until the main process has come here, the others give it their parts of the average.
        """
        while (said := self.ranks.gathered(["", self.seconds, stop]))[0][0] == AVERAGE:
            self.learner.average(keep=False)
        self.seconds = said[0][1]
        return any(wanted for _, _, wanted in said)

    @property
    def _kept(self) -> str:
        """Return what is left where training breaks off."""
        if (kept := self.files.keeping.newest()) is None:
            return "there is no checkpoint yet"
        return f"the last good checkpoint is {kept}; `run` goes on from it"

    def _validate(self) -> None:
        try:
            values = self.validate()
        except AudioError as error:  # all that was held out has turned bad since
            self.warn(f"without validation: {error}")
            return
        if values:
            for observer in self.observers:
                observer.validated(self, values)

    def _batches(self) -> Iterator[Batch]:
        """Yield what is still to be learned from."""
        drawn = batches(
            self.clips,
            seed=self.seed,
            batch=self.settings.batch,
            first=self.step,
            steps=self.settings.steps,
            workers=self.settings.workers,
            patience=self.settings.patience,
            pinned=self.learner.device.type == "cuda",
            part=self.ranks.part(self.settings.batch),
            warn=self._restarted,
        )
        with closing(drawn):
            while not self.finished and (batch := next(drawn, None)) is not None:
                yield batch

    def _restarted(self, warning: str) -> None:
        """Hear that processes are about to be started anew: not while a file is being written."""
        self.files.wait()
        self.warn(warning)
