"""The probe: a process of its own that takes training steps on random signals."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection

import torch
from torch import Tensor

from mousai_kit import devices
from mousai_kit.cascade import Cascade
from mousai_kit.errors import MousaiError, first_line, listed
from mousai_kit.estimate import STATE_COPIES
from mousai_kit.interfaces import Stage, Text, TextEncoder
from mousai_kit.memory import out_of_memory_told
from mousai_kit.planning import meter
from mousai_kit.planning.task import Failed, Ground, Order, Point, Task
from mousai_kit.plugins import installed
from mousai_kit.recipe import Recipe, Train, stored_recipe
from mousai_kit.training.loading import Batch
from mousai_kit.training.step import Learner
from mousai_kit.tuning.tuned import Tuned

CAPTION = "slow piano over rain, a distant choir, 80 beats a minute"
TIMED = 3
"""Steps that are timed of each batch, at most, after the first one, which also allocates."""


TOO_LITTLE = "an allocation failed"


def answer(connection: Connection, task: Task) -> None:
    """Say what is there before the first step, then answer orders until nobody asks any more."""
    os.environ["HF_HUB_OFFLINE"] = "1"  # a plan fetches nothing
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asked ends this process
    try:
        with out_of_memory_told(TOO_LITTLE), suppress(EOFError):
            bench = Bench(task)
            connection.send(bench.ground)
            while True:
                connection.send(bench.answer(connection.recv()))
    except Exception as error:  # Python itself stumbles in many ways where memory is short
        meter.let_go()
        short = isinstance(error, (MemoryError, SystemError)) or str(error) == TOO_LITTLE
        connection.send(Failed(first_line(error), memory=short))


class Bench:
    """A stage with all that training holds of it."""

    def __init__(self, task: Task) -> None:
        recipe = _up_to(task.stage, stored_recipe(task.recipe, registry=installed()))
        self.device = devices.resolve(recipe.device)
        meter.give_way()
        self.cascade = Cascade.build(recipe, device=self.device)
        self.name, self.stage = task.stage, self.cascade.stages[task.stage]
        self.settings = Train.model_validate(
            {**recipe.stages[task.stage].train.model_dump(), **task.train, "compile": False}
        )
        missing = _ready(self.stage)
        self.stage.prepare([self._signal(2).to(self.device)], [CAPTION])
        Tuned(recipe, self.name, self.stage).begin()
        self.stage.train()
        self.learner = Learner(self.stage, self.settings, seed=0)
        learned = sum(it.nbytes for it in self.learner.learned)
        held = meter.peak_bytes(self.device) - learned  # the average is there already
        self.ground = Ground(held, STATE_COPIES * learned, missing)
        meter.hold_to(task.limit, self.device)

    def answer(self, order: Order | None) -> Point | float:
        """Return a point; None asks for `encoding`."""
        return self.encoding() if order is None else self.point(order)

    def point(self, order: Order) -> Point:
        """Take steps of a batch; the first only counts where there is time for no other."""
        signal = self._signal(order.batch)
        captions = [f"{CAPTION}, number {number}" for number in range(order.batch)]
        batch = Batch(signal, captions, captions, [])
        first = self._seconds(batch)
        times: list[float] = []
        while len(times) < TIMED and first + sum(times) + max([first, *times]) < order.seconds:
            times.append(self._seconds(batch))
        seconds = sorted(times)[len(times) // 2] if times else first
        return Point(order.batch, meter.peak_bytes(self.device), seconds)

    def encoding(self) -> float:
        """Return how many seconds the stages below take to encode a crop of audio."""
        audio = self.cascade.audio
        wave = torch.randn(1, audio.channels, self.settings.length, device=self.device)
        started = time.perf_counter()
        self.cascade.encode(wave, up_to=self.name)
        meter.synchronise(self.device)
        return time.perf_counter() - started

    def _seconds(self, batch: Batch) -> float:
        """Return how long a step takes; a learning rate of 0 leaves the weights finite."""
        started = time.perf_counter()
        self.learner.gradients(batch, 0)
        self.learner.update(0.0, 1)
        meter.synchronise(self.device)
        return time.perf_counter() - started

    def _signal(self, batch: int) -> Tensor:
        below = self.stage.below
        return torch.randn(batch, below.channels, below.frames(self.settings.length))


def _up_to(name: str, recipe: Recipe) -> Recipe:
    """Return a recipe without the stages above one: they take no part in its steps."""
    names = list(recipe.stages)
    kept = names[: names.index(name) + 1]
    return recipe.model_copy(update={"stages": {it: recipe.stages[it] for it in kept}})


def _ready(stage: Stage) -> str:
    """Load what must be there; let a text encoder that is not here say nothing, and tell of it."""
    missing = [it for it in stage.modules() if isinstance(it, TextEncoder) and not _is_here(it)]
    for encoder in missing:
        _silence(encoder)
    if not missing:
        stage.ready()
        return ""
    names = listed(it.name for it in missing)
    return f"text encoder {names} is not on this machine and not counted; `run` fetches it"


def _is_here(encoder: TextEncoder) -> bool:
    try:
        encoder.ready()
    except MousaiError:
        return False
    return True


def _silence(encoder: TextEncoder) -> None:
    """Let a text encoder give texts of its shape without content."""
    device = next(iter([*encoder.parameters(), *encoder.buffers()])).device

    def blank(prompts: Sequence[str]) -> Text:
        return Text.blank(len(prompts), encoder.tokens, encoder.features, device=device)

    encoder.forward = blank  # type: ignore[method-assign]
