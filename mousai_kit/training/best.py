"""The best: the averaged weights that did best on held-out clips are kept in a file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from mousai_kit import checkpoints
from mousai_kit.errors import WeightsError
from mousai_kit.training.observing import Observer
from mousai_kit.training.writing import Writer

if TYPE_CHECKING:
    from mousai_kit.training.loop import Training


class Best(Observer):
    """Writes the averaged weights, where their loss with the right condition is the least so far.

    The file is one of weights, as the finished ones.
    """

    name = "best"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.step, self.loss = 0, math.inf
        self._writer = Writer()

    def validated(self, training: Training, losses: dict[str, float]) -> None:
        """Keep the weights of now, if they are the best."""
        if failure := self._writer.failure():
            training.warn(f"{failure}; training goes on without")
        if not losses["right"] < self.loss:
            return
        self._writer.wait()
        self.step, self.loss = training.step, losses["right"]
        with training.averaged():
            copy = checkpoints.snapshot(training.stage.state_dict())
        header = training.header() | {"validation": losses}
        self._writer.begin(lambda: self._write(copy, header))

    def wait(self) -> None:
        """Wait until the file is there."""
        self._writer.wait()

    def weights(self) -> dict[str, Tensor] | None:
        """Return the best weights; None where the file holds other ones, or can't be read."""
        self.wait()
        try:
            tensors, header = checkpoints.read(self.path)
        except WeightsError:
            return None
        return tensors if header["step"] == self.step else None

    def state(self) -> dict[str, Any]:
        """Return which step was the best."""
        return {"step": self.step, "loss": self.loss} if self.step else {}

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned."""
        self.step, self.loss = state.get("step", 0), state.get("loss", math.inf)

    def _write(self, copy: dict[str, Tensor], header: dict[str, Any]) -> None:
        checkpoints.write_snapshot(self.path, copy, header)
