"""Observing: what looks on while a stage is trained, and changes nothing.

The view: what there is to see of a training, so that nobody who looks on needs the trainer itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from mousai_kit.core.console import Screen
from mousai_kit.core.interfaces import Stage
from mousai_kit.data.datasets import ClipSource
from mousai_kit.recipe import Train
from mousai_kit.training.train_step import StepResult, TrainStep
from mousai_kit.training.validation import DataWaitTimer, ValidationLosses


class TrainerView(Protocol):
    """A training as callbacks see it: what it learns from, how far it is, what it last found."""

    name: str
    stage: Stage
    settings: Train
    seed: int
    clips: ClipSource
    held_out: ClipSource | None
    screen: Screen
    learner: TrainStep
    waits: DataWaitTimer
    """How long it waited for clips."""
    rate: float
    """The learning rate of the last step."""
    draws: ValidationLosses | None
    """What the last validation found."""

    @property
    def step(self) -> int:
        """Return the last step that was taken; 0 before the first."""

    @property
    def seconds(self) -> float:
        """Return how long it has learned."""

    @property
    def progress(self) -> float:
        """Return how much of the steps or of the minutes is used, whichever is more, in [0, 1]."""

    @property
    def is_finished(self) -> bool:
        """Return whether the steps are done or the time is up."""

    def ema_weights(self) -> AbstractContextManager[None]:
        """Evaluate `stage` with the averaged weights for a while."""

    def draw_losses(self, clips: ClipSource) -> ValidationLosses:
        """Return the averaged weights' loss of each draw of some clips."""

    def header(self) -> dict[str, Any]:
        """Return what files of now say of where they come from."""

    def warn(self, warning: str) -> None:
        """Tell all who look on what may be going wrong, in one line with its figure."""

    def notify(self, event: str, *values: Any) -> None:
        """Tell all who look on of an event, a method of `Callback`."""


class Callback:
    """Is told of a training as it goes; each method may be left as it is.

    It may use `training.stage` (averaged in `training.ema_weights()`), but leaves it
    as it was. Whatever it draws at random must come from generators of its own.
    """

    name = ""
    """What its state is called in a checkpoint; empty where it has none."""
    task = ""
    """What a warning says has failed where it raises; empty where training must end then."""

    def on_train_start(self, training: TrainerView) -> None:
        """Hear that training begins or goes on, at `training.step`."""

    def log(self, training: TrainerView, values: Mapping[str, Any]) -> None:
        """Hear what there is to log of `training.step`: `loss`, `gradient_norm` and
        `learning_rate` of the step, or `validation` (losses by condition), or a `warning`.
        """

    def on_step_end(self, training: TrainerView, taken: StepResult) -> None:
        """Hear of a step that was taken, which is now `training.step`."""

    def on_validation_end(self, training: TrainerView, losses: dict[str, float]) -> None:
        """Hear of a validation: its loss by condition."""

    def on_warning(self, training: TrainerView, warning: str) -> None:
        """Hear of a warning: one line, with its figure."""

    def on_checkpoint(self, training: TrainerView) -> None:
        """Hear that a checkpoint was written."""

    def on_demo(self, training: TrainerView, demos: Sequence[Path]) -> None:
        """Hear of demos: audio files, each with a picture (.png) beside it."""

    def on_train_end(self, training: TrainerView) -> None:
        """Hear that training is done, or was interrupted, or failed."""

    def state(self) -> dict[str, Any]:
        """Return what there is to remember over an interruption, as JSON values."""
        return {}

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned."""


def flatten(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is logged of a step by one name each: `validation/right`, say."""
    losses = values.get("validation", {})
    flat = {name: value for name, value in values.items() if name != "validation"}
    return flat | {f"validation/{condition}": loss for condition, loss in losses.items()}
