"""Advice: what would make a training step fit into memory, with what it costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from mousai_kit.planning.cost import Cost
from mousai_kit.recipe import Train

CHANGES: tuple[dict[str, Any], ...] = (
    {"precision": "bf16"},
    {},
    {"recompute": True},
    {"precision": "bf16", "recompute": True},
)
"""What is tried, in this order, each with as few parts of a batch as it takes."""
SHORTEST = 2**12
"""Samples below which no crop is advised."""

CostOf = Callable[[Train], Cost | None]


@dataclass(frozen=True, slots=True)
class Advice:
    """Settings that would fit, and what a step then takes."""

    changes: dict[str, Any]
    bytes: int
    seconds: float | None
    measured: bool


def advice(train: Train, cost_of: CostOf, room: float) -> list[Advice]:
    """Return what would make a step fit into `room` bytes, none where nothing would.

    Shorter crops change what is learned: they are advised only where nothing else does.
    """
    plain = cost_of(train)
    if plain is not None and plain.least > room and plain.memory.fixed > room:
        return []
    found: list[Advice] = []
    for made in _with_less(train, plain, cost_of, room):
        if not any(_is_no_worse(it, made) for it in found):
            found.append(made)
    return found or [*_with_shorter_crops(train, cost_of, room)]


def _with_less(train: Train, plain: Cost | None, cost_of: CostOf, room: float) -> Iterator[Advice]:
    for changes in CHANGES:
        changed = train.model_copy(update=changes)
        if changes and changed == train:
            continue
        cost = cost_of(changed)
        if cost is None or not _pays(changed, cost, train, plain):
            continue
        if made := _in_fewest_parts(train, changed, cost, room):
            yield made


def _pays(changed: Train, cost: Cost, train: Train, plain: Cost | None) -> bool:
    """Return whether another precision was measured to be quicker; others need not be."""
    if changed.precision == train.precision:
        return True
    new = cost.seconds(changed)
    old = plain.seconds(changed) if plain else None
    return new is not None and (old is None or new < old)


def _in_fewest_parts(train: Train, changed: Train, cost: Cost, room: float) -> Advice | None:
    for parts in range(train.accumulate, train.batch + 1):
        settings = changed.model_copy(update={"accumulate": parts})
        if train.batch % parts == 0 and cost.bytes(settings) <= room:
            return _told(train, settings, cost)
    return None


def _with_shorter_crops(train: Train, cost_of: CostOf, room: float) -> Iterator[Advice]:
    """Yield the longest crop, by halves, of which one clip at a time fits."""
    settings = train.model_copy(update={"accumulate": train.batch, "recompute": True})
    while settings.length // 2 >= SHORTEST:
        settings = settings.model_copy(update={"length": settings.length // 2})
        cost = cost_of(settings)
        if cost is not None and cost.bytes(settings) <= room:
            yield _told(train, settings, cost)
            return


def _told(train: Train, settings: Train, cost: Cost) -> Advice:
    before, after = train.model_dump(), settings.model_dump()
    changes = {key: value for key, value in after.items() if value != before[key]}
    return Advice(changes, cost.bytes(settings), cost.seconds(settings), cost.is_measured(settings))


def _is_no_worse(one: Advice, other: Advice) -> bool:
    """Return whether one advice takes no more parts and no more time than another."""
    parts = [it.changes.get("accumulate", 1) for it in (one, other)]
    times = [it.seconds or 0.0 for it in (one, other)]
    return parts[0] <= parts[1] and times[0] <= times[1]
