"""What a training step costs: memory and time by batch, measured or estimated.

A straight line through what was measured, to tell what was not.

What a probe is asked, and what it answers: values that pass between processes.

Advice: what would make a training step fit into memory, with what it costs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mousai_kit.recipe import Train


@dataclass(frozen=True, slots=True)
class LinearFit:
    """`fixed` and `each` for every clip."""

    fixed: float
    each: float

    @classmethod
    def through(cls, points: Sequence[tuple[float, float]]) -> LinearFit:
        """Return the line through the two largest of rising points; through one, from 0."""
        (x, y) = points[-1]
        if len(points) == 1:
            return cls(0.0, y / x)
        before, y_before = points[-2]
        each = max(0.0, (y - y_before) / (x - before))
        return cls(y - each * x, each)

    def no_flatter_than(self, each: float, x: float) -> LinearFit:
        """Return a line through this one's point at `x` that rises by `each` or more."""
        each = max(self.each, each)
        return LinearFit(self.at(x) - each * x, each)

    def at(self, x: float) -> float:
        """Return what the line says of `x`."""
        return self.fixed + self.each * x


@dataclass(frozen=True, slots=True)
class Task:
    """Which stage is to take steps, as which recipe has it, and how much memory it may hold."""

    recipe: str
    """The recipe as YAML."""
    stage: str
    train: dict[str, Any]
    """Settings of training that take the place of the recipe's."""
    limit: int


@dataclass(frozen=True, slots=True)
class Baseline:
    """What is there before the first step."""

    bytes: int
    """What the process holds: the program and the weights."""
    state: int
    """What training will add to that, whatever the batch: gradients, two moments, the average."""
    missing: str
    """Why a pretrained text encoder is left out of it; empty where none is."""


@dataclass(frozen=True, slots=True)
class StepRequest:
    """A step of so many clips is to be taken, again and again for about so many seconds."""

    batch: int
    seconds: float


@dataclass(frozen=True, slots=True)
class StepSample:
    """A step of `batch` clips: the most memory held, and its duration; None where unknown."""

    batch: int
    bytes: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class ProbeFailure:
    """Why there is no answer, in one line."""

    reason: str
    memory: bool = False
    longer_than: float | None = None
    """Seconds that a step takes longer than."""


@dataclass(frozen=True, slots=True)
class StepCost:
    """Memory and time of a step, as lines over the clips that are computed at a time."""

    memory: LinearFit
    time: LinearFit | None
    """None where no step was timed."""
    least: int
    """Bytes of a step of one clip: with few clips the gradients count more than what is kept."""
    gradients: int
    """Bytes of the gradients: in parts, they stay from one part to the next."""
    measured: int
    """The largest batch that was measured; 0: all is an estimate."""

    @classmethod
    def of(cls, points: Sequence[StepSample], *, gradients: int, measured: bool) -> StepCost:
        """Return the cost that rising points tell; the first may be of no clip at all."""
        timed = [(sample.batch, sample.seconds) for sample in points if sample.seconds is not None]
        return cls(
            LinearFit.through([(sample.batch, sample.bytes) for sample in points]),
            LinearFit.through(timed) if timed else None,
            next(sample.bytes for sample in points if sample.batch),
            gradients,
            points[-1].batch if measured else 0,
        )

    def bytes(self, train: Train) -> int:
        """Return how much memory a step takes."""
        kept = self.gradients if train.accumulate > 1 else 0
        return max(self.least, round(self.memory.at(together(train)))) + kept

    def no_flatter_than(self, each: float) -> StepCost:
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


CHANGES: tuple[dict[str, Any], ...] = (
    {"precision": "bf16"},
    {},
    {"recompute": True},
    {"precision": "bf16", "recompute": True},
)
"""What is tried, in this order, each with as few parts of a batch as it takes."""
SHORTEST = 2**12
"""Samples below which no crop is advised."""

CostOf = Callable[[Train], StepCost | None]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Settings that would fit, and what a step then takes."""

    changes: dict[str, Any]
    bytes: int
    seconds: float | None
    measured: bool


def suggest_settings(train: Train, cost_of: CostOf, room: float) -> list[Suggestion]:
    """Return what would make a step fit into `room` bytes, none where nothing would.

    Shorter crops change what is learned: they are advised only where nothing else does.
    """
    plain = cost_of(train)
    if plain is not None and plain.least > room and plain.memory.fixed > room:
        return []
    found: list[Suggestion] = []
    for made in _with_less(train, plain, cost_of, room):
        if not any(_is_no_worse(cost, made) for cost in found):
            found.append(made)
    return found or [*_with_shorter_crops(train, cost_of, room)]


def _with_less(
    train: Train, plain: StepCost | None, cost_of: CostOf, room: float
) -> Iterator[Suggestion]:
    for changes in CHANGES:
        changed = train.model_copy(update=changes)
        if changes and changed == train:
            continue
        cost = cost_of(changed)
        if cost is None or not _pays(changed, cost, train, plain):
            continue
        if made := _in_fewest_parts(train, changed, cost, room):
            yield made


def _pays(changed: Train, cost: StepCost, train: Train, plain: StepCost | None) -> bool:
    """Return whether another precision was measured to be quicker; others need not be."""
    if changed.precision == train.precision:
        return True
    new = cost.seconds(changed)
    old = plain.seconds(changed) if plain else None
    return new is not None and (old is None or new < old)


def _in_fewest_parts(
    train: Train, changed: Train, cost: StepCost, room: float
) -> Suggestion | None:
    for parts in range(train.accumulate, train.batch + 1):
        settings = changed.model_copy(update={"accumulate": parts})
        if train.batch % parts == 0 and cost.bytes(settings) <= room:
            return _suggestion(train, settings, cost)
    return None


def _with_shorter_crops(train: Train, cost_of: CostOf, room: float) -> Iterator[Suggestion]:
    """Yield the longest crop, by halves, of which one clip at a time fits."""
    settings = train.model_copy(update={"accumulate": train.batch, "recompute": True})
    while settings.length // 2 >= SHORTEST:
        settings = settings.model_copy(update={"length": settings.length // 2})
        cost = cost_of(settings)
        if cost is not None and cost.bytes(settings) <= room:
            yield _suggestion(train, settings, cost)
            return


def _suggestion(train: Train, settings: Train, cost: StepCost) -> Suggestion:
    before, after = train.model_dump(), settings.model_dump()
    changes = {key: value for key, value in after.items() if value != before[key]}
    return Suggestion(
        changes, cost.bytes(settings), cost.seconds(settings), cost.is_measured(settings)
    )


def _is_no_worse(one: Suggestion, other: Suggestion) -> bool:
    """Return whether one advice takes no more parts and no more time than another."""
    parts = [plan.changes.get("accumulate", 1) for plan in (one, other)]
    times = [cost.seconds or 0.0 for cost in (one, other)]
    return parts[0] <= parts[1] and times[0] <= times[1]
