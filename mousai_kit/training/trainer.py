"""Training: the loop for one stage, from the last checkpoint to the last step."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from torch import Tensor

from mousai_kit.core.console import Screen
from mousai_kit.core.errors import AudioError, MousaiError, error_summary, escape_control_chars
from mousai_kit.core.interfaces import Stage
from mousai_kit.core.seeds import derive_seed
from mousai_kit.core.spin_wait import sleep_if_contended
from mousai_kit.data.datasets import ClipSource, audio_extractor
from mousai_kit.data.loader import Batch, batches, draw
from mousai_kit.distributed import Communicator, RankError
from mousai_kit.models.blocks import CompileError
from mousai_kit.recipe import Train
from mousai_kit.runs import checkpoint
from mousai_kit.training.callbacks.base import Callback
from mousai_kit.training.checkpointing import Checkpointer, TrainingPaths
from mousai_kit.training.loss_guard import LossGuard, Verdict
from mousai_kit.training.lr_schedule import learning_rate
from mousai_kit.training.signals import GracefulStop, defer_signals
from mousai_kit.training.state import TrainState
from mousai_kit.training.train_step import StepResult, TrainStep
from mousai_kit.training.validation import DataWaitTimer, ValidationLosses, draws

TRIES = 3
"""Failures after which a callback is told nothing more."""
AVERAGE = "average"
"""What the main process asks of the others where each has a part of the averaged weights."""


class Trainer:
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
        place: TrainingPaths,
        clips: ClipSource,
        held_out: ClipSource | None,
        report: Callable[[str], None],
        observers: Sequence[Callback] = (),
        ranks: Communicator | None = None,
        screen: Screen | None = None,
    ) -> None:
        """Train in `place`; the `screen` shows what goes on beside steps."""
        self.name, self.stage, self.settings, self.place = name, stage, settings, place
        self.clips, self.held_out, self.report = clips, held_out, report
        self.seed, self.ranks = derive_seed(seed, name), ranks or Communicator()
        self.screen = screen or Screen(quiet=True)
        self.learner = TrainStep(stage, settings, seed=self.seed, ranks=self.ranks)
        self.guard = LossGuard(name, settings, self._last_good)
        self.state = TrainState(self.learner, self.guard, place.header)
        self.checkpoints = Checkpointer(self.state, place, settings)
        self.observers = self.state.observers
        self.observers += [*self.checkpoints.observers, *observers] if self.ranks.main else []
        self.rate, self._started, self.waits = 0.0, 0.0, DataWaitTimer()
        self._failures = Counter[Callback]()
        self.draws: ValidationLosses | None = None

    def run(self) -> None:
        """Train to the end. Ctrl-C ends at the next step with a checkpoint (KeyboardInterrupt)."""
        self.stage.train()
        if self.ranks.main:
            self.checkpoints.begin()
        try:
            self.notify("on_train_start")
            self._sync_stop(False)
            self._run()
        except RankError:
            raise RankError(self.name, f"step {self.step + 1}", self._what_remains) from None
        except Exception:
            self.checkpoints.wait()
            raise
        finally:
            self.stage.set_average(None)
            self.notify("on_train_end")

    def train_step(self, batch: Batch) -> StepResult:
        """Take one step. TrainingError, and no step, where the guard says so."""
        taken = self.learner.gradients(batch, self.step)
        for line in taken.bad:
            self.report(line)
        judged = self.guard.check(self.step + 1, taken, scaled=self.learner.scales_loss)
        self.rate = self.learning_rate
        if judged.verdict is Verdict.TAKE:
            self.learner.update(self.rate, self.step + 1)
        else:
            self.learner.skip()
        if judged.verdict is Verdict.BACK_OFF:
            self.checkpoints.rollback()
        self.state.step += 1
        if judged.warning:
            self.warn(judged.warning)
        return taken

    def warn(self, warning: str) -> None:
        """Tell all who look on what may be going wrong, in one line with its figure."""
        self.notify("log", {"warning": warning})
        self.notify("on_warning", warning)

    def notify(self, event: str, *values: Any) -> None:
        """Tell all who look on of an event, a method of `Callback`.

        Where one that has a `task` fails, a warning says so. After three failures, or one at the
        beginning, training goes on without it.
        """
        for observer in self.observers:
            hear = getattr(observer, event)
            if self._failures[observer] >= TRIES:
                continue
            try:
                hear(self, *values)
            except RankError:  # another process has ended, and so must this one
                raise
            except Exception as error:  # whatever a picture or a tracker may raise
                if not observer.task:
                    raise
                self._failures[observer] += TRIES if event == "on_train_start" else 1
                self._warn_of_failure(observer, error)

    def _warn_of_failure(self, observer: Callback, error: Exception) -> None:
        without = " without it" if self._failures[observer] >= TRIES else ""
        reason = escape_control_chars(error_summary(error))
        with suppress(MousaiError):  # a full disk: the log tells of it at the next step
            self.warn(f"{observer.task} failed ({reason}); training goes on{without}")

    def tell_step(self, taken: StepResult) -> None:
        """Tell all who look on of a step."""
        values = {"loss": taken.loss, "gradient_norm": taken.gradient_norm}
        self.notify("log", {**values, "learning_rate": self.rate})
        self.notify("on_step_end", taken)

    def tell_validation(self, losses: dict[str, float]) -> None:
        """Tell all who look on of a validation."""
        self.notify("log", {"validation": losses})
        self.notify("on_validation_end", losses)

    @property
    def step(self) -> int:
        """Return the last step that was taken; 0 before the first."""
        return self.state.step

    @property
    def seconds(self) -> float:
        """Return how long it has learned."""
        return self.state.seconds

    @property
    def progress(self) -> float:
        """Return how much of the steps or of the minutes is used, whichever is more, in [0, 1]."""
        minutes = self.settings.minutes
        timed = 0.0 if minutes is None else self.seconds / (60 * minutes)
        return min(1.0, max(self.step / self.settings.steps, timed))

    @property
    def upcoming(self) -> Iterator[int]:
        """Yield the indices of the clips that are still to be learned from, in their order."""
        first, last = (step * self.settings.batch for step in (self.step, self.settings.steps))
        return draw(len(self.clips), seed=self.seed, positions=range(first, last))

    @property
    def learning_rate(self) -> float:
        """Return the next step's learning rate."""
        return self.guard.share * learning_rate(self.settings, self.step, self.progress)

    @property
    def is_finished(self) -> bool:
        """Return whether the steps are done or the time is up."""
        return self.progress >= 1

    def save(self) -> None:
        """Begin to write a checkpoint from which training goes on to the very step."""
        self.checkpoints.save()
        self.notify("on_checkpoint")

    def restore(self) -> list[str]:
        """Go on from the newest good checkpoint; return a line on each that is none."""
        return self.checkpoints.restore()

    def header(self) -> dict[str, Any]:
        """Return what files of now say of where they come from."""
        return self.state.header()

    def validate(self) -> dict[str, float]:
        """Return the averaged weights' loss on held-out clips: right, other and no condition.

        The noise is the same every time, so that figures can be compared along a run.
        """
        if not self.ranks.main or self.held_out is None or not len(self.held_out):
            return {}
        self.draws = self.draw_losses(self.held_out)
        return self.draws.means

    def draw_losses(self, clips: ClipSource) -> ValidationLosses:
        """Return the averaged weights' loss of each draw of some clips."""
        with self.ema_weights():
            return draws(
                self.stage,
                clips,
                seed=self.seed,
                precision=self.settings.precision,
                screen=self.screen,
            )

    @contextmanager
    def ema_weights(self) -> Iterator[None]:
        """Evaluate `stage` with the averaged weights for a while, in the main process."""
        if self.ranks.is_sharded:  # the others are waiting for what this one may ask of them
            self.ranks.all_gather([AVERAGE, self.seconds, False])
            self.stage.load_state_dict(self.state.average(keep=True))
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

    def apply_ema(self) -> None:
        """Make the averaged weights the stage's own, for good."""
        if self.ranks.is_sharded:
            self.stage.load_state_dict(self.state.average(keep=True))
        else:
            self.learner.ema.swap()
        self.learner.optimizer.zero_grad()  # the memory is another stage's now
        self.stage.eval()

    @sleep_if_contended()
    def _run(self) -> None:
        self._started = time.monotonic() - self.seconds
        with defer_signals(patient=not self.ranks.own.alone) as interruption:
            with closing(self._batches()) as drawn:
                self._loop(drawn, interruption)
            if self.is_finished:
                self._finish()
            elif self.step:
                self.save()
                self.checkpoints.flush()
                self.ranks.barrier()  # whoever ends first is followed by all
            interruption.check()

    def _loop(self, drawn: Iterator[Batch], interruption: GracefulStop) -> None:
        """Take steps until training is finished, there is no batch, or somebody wants an end."""
        stop = False
        while not (stop or self.is_finished):
            batch = None
            with suppress(KeyboardInterrupt, SystemExit), interruption.waiting(), self.waits.wait():
                batch = next(drawn, None)
            if batch is None:
                return
            try:
                taken = self.train_step(batch)
            except CompileError:  # Ctrl-C ends a C++ compiler, too: this step is not taken
                if interruption.asked is None or not self.ranks.own.alone:
                    raise
                return
            stop = self._follow_up(taken, interruption)

    def _follow_up(self, taken: StepResult, interruption: GracefulStop) -> bool:
        """Tell of a step, validate and save where it is time to; return whether to end."""
        self.state.seconds = time.monotonic() - self._started
        self.tell_step(taken)
        if self.step % self.settings.validate_every == 0 or self.is_finished:
            self._validate()
        if trouble := self.checkpoints.trouble():
            self.warn(trouble)
        stop = self._sync_stop(interruption.asked is not None)
        if self.step % self.settings.checkpoint_every == 0 and not self.is_finished:
            self.save()
        elif self.guard.has_alarmed:
            self._secure()
        if stop:
            interruption.ask()
        return stop

    def _finish(self) -> None:
        """Write the averaged weights, and the checkpoint to go on from with more steps."""
        self.checkpoints.save()
        self.checkpoints.flush()
        self.apply_ema()
        header, best = self.header(), self.settings.final_weights == "best"
        if self.ranks.main:
            if best and (chosen := self._best()):
                self.stage.load_state_dict(chosen)
                header |= {"finish": "best", "best": self.checkpoints.best.state()}
            checkpoint.write_checkpoint(self.place.weights, self.stage.state_dict(), header)
        self.ranks.barrier()
        if best and not self.ranks.main:
            self.stage.load_state_dict(checkpoint.read_checkpoint(self.place.weights)[0])

    def _best(self) -> dict[str, Tensor] | None:
        """Return the weights that did best; None, and a warning, where they are not there."""
        best = self.checkpoints.best
        if (chosen := best.weights()) is None:
            self.warn(f"{best.path}: the best weights are not there; the last are used")
        return chosen

    def _sync_stop(self, stop: bool) -> bool:
        """Take over the main process's clock; return whether any process is to stop.

        Until the main process has come here, the others give it their parts of the average.
        """
        while (said := self.ranks.all_gather(["", self.seconds, stop]))[0][0] == AVERAGE:
            self.state.average(keep=False)
        self.state.seconds = said[0][1]
        return any(wanted for _, _, wanted in said)

    @property
    def _what_remains(self) -> str:
        """Return what is left where training breaks off."""
        if (kept := self.checkpoints.newest()) is None:
            return "there is no checkpoint yet"
        return f"the last good checkpoint is {kept}; `run` goes on from it"

    def _validate(self) -> None:
        try:
            values = self.validate()
        except AudioError as error:  # all that was held out has turned bad since
            self.warn(f"without validation: {error}")
            return
        if values:
            self.tell_validation(values)

    def _last_good(self) -> Path | None:
        """Return the last checkpoint for one who is about to stop; one of now where none is yet."""
        self._secure()
        return self.checkpoints.newest()

    def _secure(self) -> None:
        """Save what was learned until the first trouble, where no checkpoint has it yet."""
        if self.step and self.checkpoints.on_checkpoint is None:
            self.save()

    def _batches(self) -> Generator[Batch]:
        """Return what is still to be learned from."""
        return batches(
            self.clips,
            seed=self.seed,
            batch=self.settings.batch,
            first=self.step,
            steps=self.settings.steps,
            workers=self.settings.workers,
            patience=self.settings.patience,
            pinned=self.learner.device.type == "cuda",
            part=self.ranks.part(self.settings.batch),
            extract=audio_extractor(self.stage),
            warn=self._on_restart,
        )

    def _on_restart(self, warning: str) -> None:
        """Hear that processes are about to be started anew: not while a file is being written."""
        self.checkpoints.wait()
        self.warn(warning)
