"""Observing: what looks on while a stage is trained, and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mousai_kit.training.step import Taken

if TYPE_CHECKING:
    from mousai_kit.training.loop import Training


class Observer:
    """Is told of a training as it goes; each method may be left as it is.

    It may use `training.stage` (in `training.averaged()` with the averaged weights), but leaves it
    as it was. Whatever it draws at random must come from generators of its own.
    """

    name = ""
    """What its state is called in a checkpoint; empty where it has none."""

    def begun(self, training: Training) -> None:
        """Hear that training begins or goes on, at `training.step`."""

    def stepped(self, training: Training, taken: Taken) -> None:
        """Hear of a step that was taken, which is now `training.step`."""

    def validated(self, training: Training, losses: dict[str, float]) -> None:
        """Hear of a validation: its loss by condition."""

    def warned(self, training: Training, warning: str) -> None:
        """Hear of a warning: one line, with its figure."""

    def saved(self, training: Training) -> None:
        """Hear that a checkpoint was written."""

    def demonstrated(self, training: Training, demos: Sequence[Path]) -> None:
        """Hear of demos: audio files, each with a picture (.png) beside it."""

    def ended(self, training: Training) -> None:
        """Hear that training is done, or was interrupted, or failed."""

    def state(self) -> dict[str, Any]:
        """Return what there is to remember over an interruption, as JSON values."""
        return {}

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned."""
