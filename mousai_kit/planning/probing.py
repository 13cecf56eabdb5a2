"""Probing: a stage's steps are measured in a process of its own, batch by batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from mousai_kit.planning.line import Line
from mousai_kit.planning.probe import answer
from mousai_kit.planning.task import Failed, Ground, Order, Point, Task

PATIENCE = 120.0
"""Seconds that a probe may take to start and to build a stage."""
UNFIT = Failed("the system ended the probe, mostly for want of memory", memory=True)


@dataclass(slots=True)
class Measured:
    """What a probe found: steps of rising batches, and why it went no further."""

    points: list[Point] = field(default_factory=list)
    """The first is what a step would hold without any clip, before one was taken."""
    stopped: Failed | None = None
    encoding: float | None = None
    """Seconds in which a crop of audio is encoded by the stages below."""
    missing: str = ""
    """What was left out of it."""


def measured(
    task: Task,
    batches: Iterable[int],
    *,
    seconds: float,
    encodes: bool = False,
    report: Callable[[str], None] = lambda doing: None,
) -> Measured:
    """Measure steps of rising batches for about so many seconds; `report` hears of each.

    A batch is left out where those before it say that memory or time would not do.
    """
    found = Measured()
    with _probe(task) as probe:
        ground = probe.receive(PATIENCE)
        if ground is None:
            ground = Failed(f"building the stage takes more than {PATIENCE:.0f} s")
        if isinstance(ground, Failed):
            found.stopped = ground
            return found
        assert isinstance(ground, Ground)
        found.missing = ground.missing
        found.points.append(Point(0, ground.bytes + ground.state, None))
        started = time.monotonic()
        for batch in batches:
            left = seconds - (time.monotonic() - started)
            found.stopped = _beyond(found.points, batch, task.limit, left)
            if found.stopped is None:
                report(f"a step of {batch}")
                reply = probe.ask(Order(batch, left / 2), max(left, 1.0))
                found.stopped = reply if isinstance(reply, Failed) else _late(reply, batch, left)
                found.points += [reply] if isinstance(reply, Point) else []
            if found.stopped is not None:
                break
        if encodes and len(found.points) > 1 and probe.alive:
            report("how long a crop is encoded")
            reply = probe.ask(None, max(seconds, 10.0))
            found.encoding = reply if isinstance(reply, float) else None
    return found


def doubling(most: int) -> Iterator[int]:
    """Yield 1, 2, 4, ... and at last `most`."""
    batch = 1
    while batch < most:
        yield batch
        batch *= 2
    yield most


def _beyond(points: list[Point], batch: int, limit: int | None, left: float) -> Failed | None:
    """Return why a batch is not tried, as far as those before it tell."""
    if len(points) == 1:
        return None
    memory = Line.through([(it.batch, it.bytes) for it in points])
    if limit is not None and memory.at(batch) > limit:
        return Failed(f"a batch of {batch} would not fit", memory=True)
    last = points[-1]
    if last.seconds is not None and 2 * last.seconds * batch / last.batch > left:
        return Failed(f"a batch of {batch} would take too long to measure")
    return None


def _late(reply: Any, batch: int, seconds: float) -> Failed | None:
    """Return what to say where there is no answer in time."""
    if reply is not None:
        return None
    told = f"a step of {batch} takes more than {max(seconds, 1.0):.0f} s"
    return Failed(told, longer_than=seconds if batch == 1 else None)


class _Probe:
    """A running probe."""

    def __init__(self, process: BaseProcess, connection: Connection) -> None:
        self.process, self.connection = process, connection

    @property
    def alive(self) -> bool:
        return self.process.is_alive()

    def ask(self, order: Order | None, patience: float) -> Any:
        """Return the answer to an order, or Failed, None where it takes too long."""
        self.connection.send(order)
        return self.receive(patience)

    def receive(self, patience: float) -> Any:
        """Return what the probe says next, None where it says nothing for so many seconds."""
        try:
            if self.connection.poll(patience):
                return self.connection.recv()
        except (EOFError, OSError):
            self.process.join()
            return UNFIT if (self.process.exitcode or 0) < 0 else Failed("the probe failed")
        return None


@contextmanager
def _probe(task: Task) -> Iterator[_Probe]:
    """Start a probe, and end it whatever happens."""
    context = get_context("spawn")
    connection, other_end = context.Pipe()
    process = context.Process(target=answer, args=(other_end, task), daemon=True)
    process.start()
    other_end.close()
    try:
        yield _Probe(process, connection)
    finally:
        process.kill()
        process.join()
        connection.close()
