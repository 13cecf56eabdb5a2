"""What a training step costs: memory and time by batch, measured or estimated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mousai_kit.planning.line import Line
from mousai_kit.planning.task import Point
from mousai_kit.recipe import Train


@dataclass(frozen=True, slots=True)
class Cost:
    """Memory and time of a step, as lines over the clips that are computed at a time."""

    memory: Line
    time: Line | None
    """None where no step was timed."""
    least: int
    """Bytes of a step of one clip: with few clips the gradients count more than what is kept."""
    gradients: int
    """Bytes of the gradients: in parts, they stay from one part to the next."""
    measured: int
    """The largest batch that was measured; 0: all is an estimate."""

    @classmethod
    def of(cls, points: Sequence[Point], *, gradients: int, measured: bool) -> Cost:
        """Return the cost that rising points tell; the first may be of no clip at all."""
        timed = [(it.batch, it.seconds) for it in points if it.seconds is not None]
        return cls(
            Line.through([(it.batch, it.bytes) for it in points]),
            Line.through(timed) if timed else None,
            next(it.bytes for it in points if it.batch),
            gradients,
            points[-1].batch if measured else 0,
        )

    def bytes(self, train: Train) -> int:
        """Return how much memory a step takes."""
        kept = self.gradients if train.accumulate > 1 else 0
        return max(self.least, round(self.memory.at(together(train)))) + kept

    def no_flatter_than(self, each: float) -> Cost:
        """Return the cost with memory that rises by `each` or more beyond what was measured."""
        return replace(self, memory=self.memory.no_flatter_than(each, self.measured))

    def seconds(self, train: Train) -> float | None:
        """Return how long a step takes."""
        return None if self.time is None else train.accumulate * self.time.at(together(train))

    def is_measured(self, train: Train) -> bool:
        """Return whether so many clips at a time were measured, rather than told by the line."""
        return together(train) <= self.measured


def together(train: Train) -> int:
    """Return how many clips of a batch are computed at a time."""
    return -(-train.batch // train.accumulate)
