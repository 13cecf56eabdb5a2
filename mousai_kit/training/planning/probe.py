"""The probe: a process of its own that takes training steps on random signals.

Probing: a stage's steps are measured in a process of its own, batch by batch.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import torch
from torch import Tensor

from mousai_kit.core.errors import MousaiError, error_summary, join_quoted
from mousai_kit.core.interfaces import Stage, TextEmbedding, TextEncoder
from mousai_kit.core.plugins import installed_registry
from mousai_kit.data.loader import Batch
from mousai_kit.models import device as devices
from mousai_kit.models import memory as meter
from mousai_kit.models.cascade import Cascade
from mousai_kit.models.conditioning import blank_extras
from mousai_kit.models.memory import STATE_COPIES, report_out_of_memory
from mousai_kit.recipe import Recipe, Train, for_training, recipe_from_yaml
from mousai_kit.training.finetuning import FineTuning
from mousai_kit.training.planning.cost import (
    Baseline,
    LinearFit,
    ProbeFailure,
    StepRequest,
    StepSample,
    Task,
)
from mousai_kit.training.train_step import TrainStep

CAPTION = "slow piano over rain, a distant choir, 80 beats a minute"
TIMED = 3
"""Steps that are timed of each batch, at most, after the first one, which also allocates."""


TOO_LITTLE = "an allocation failed"


def worker_main(connection: Connection, task: Task) -> None:
    """Say what is there before the first step, then answer orders until nobody asks any more."""
    os.environ["HF_HUB_OFFLINE"] = "1"  # a plan fetches nothing
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asked ends this process
    try:
        with report_out_of_memory(TOO_LITTLE), suppress(EOFError):
            bench = ProbeWorker(task)
            connection.send(bench.ground)
            while True:
                order: StepRequest | None = connection.recv()
                connection.send(bench.encoding() if order is None else bench.point(order))
    except Exception as error:  # Python itself stumbles in many ways where memory is short
        meter.let_go()
        short = isinstance(error, (MemoryError, SystemError)) or str(error) == TOO_LITTLE
        connection.send(ProbeFailure(error_summary(error), memory=short))


class ProbeWorker:
    """A stage with all that training holds of it."""

    def __init__(self, task: Task) -> None:
        whole = recipe_from_yaml(task.recipe, registry=installed_registry())
        recipe = _up_to(task.stage, for_training(whole, task.stage))
        self.device = devices.resolve_device(recipe.device)
        meter.give_way()
        self.cascade = Cascade.build(recipe, device=self.device)
        self.name, self.stage = task.stage, self.cascade.stages[task.stage]
        self.settings = Train.model_validate(
            {**recipe.stages[task.stage].train.model_dump(), **task.train, "compile": False}
        )
        missing = _ready(self.stage)
        self.stage.fit_statistics([self._signal(2).to(self.device)], [CAPTION])
        FineTuning(recipe, self.name, self.stage).begin()
        self.stage.train()
        self.learner = TrainStep(self.stage, self.settings, seed=0)
        learned = sum(tensor.nbytes for tensor in self.learner.learned)
        held = meter.peak_bytes(self.device) - learned  # the average is there already
        self.ground = Baseline(held, STATE_COPIES * learned, missing)
        meter.hold_to(task.limit, self.device)

    def point(self, order: StepRequest) -> StepSample:
        """Take steps of a batch; the first only counts where there is time for no other."""
        signal = self._signal(order.batch)
        captions = [f"{CAPTION}, number {number}" for number in range(order.batch)]
        extras = blank_extras(
            self.stage, samples=self.settings.length, batch=order.batch, device="cpu"
        )
        batch = Batch(signal, captions, captions, [], extras)
        first = self._seconds(batch)
        times: list[float] = []
        while len(times) < TIMED and first + sum(times) + max([first, *times]) < order.seconds:
            times.append(self._seconds(batch))
        seconds = sorted(times)[len(times) // 2] if times else first
        return StepSample(order.batch, meter.peak_bytes(self.device), seconds)

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
        below = self.stage.input_space
        return torch.randn(batch, below.channels, below.frames(self.settings.length))


def _up_to(name: str, recipe: Recipe) -> Recipe:
    """Return a recipe without the stages above one: they take no part in its steps."""
    names = list(recipe.stages)
    kept = names[: names.index(name) + 1]
    return recipe.model_copy(update={"stages": {item: recipe.stages[item] for item in kept}})


def _ready(stage: Stage) -> str:
    """Load what must be there; let a text encoder that is not here say nothing, and tell of it."""
    encoders = (module for module in stage.modules() if isinstance(module, TextEncoder))
    missing = [encoder for encoder in encoders if not _is_here(encoder)]
    for encoder in missing:
        _silence(encoder)
    if not missing:
        stage.download()
        return ""
    names = join_quoted(item.name for item in missing)
    return f"text encoder {names} is not on this machine and not counted; `run` fetches it"


def _is_here(encoder: TextEncoder) -> bool:
    try:
        encoder.download()
    except MousaiError:
        return False
    return True


def _silence(encoder: TextEncoder) -> None:
    """Let a text encoder give texts of its shape without content."""
    device = next(iter([*encoder.parameters(), *encoder.buffers()])).device

    def blank(prompts: Sequence[str]) -> TextEmbedding:
        return TextEmbedding.blank(len(prompts), encoder.tokens, encoder.features, device=device)

    encoder.forward = blank  # type: ignore[method-assign]


PATIENCE = 120.0
"""Seconds that a probe may take to start and to build a stage."""
UNFIT = ProbeFailure("the system ended the probe, mostly for want of memory", memory=True)


@dataclass(slots=True)
class ProbeResult:
    """What a probe found: steps of rising batches, and why it went no further."""

    points: list[StepSample] = field(default_factory=list)
    """The first is what a step would hold without any clip, before one was taken."""
    stopped: ProbeFailure | None = None
    encoding: float | None = None
    """Seconds in which a crop of audio is encoded by the stages below."""
    missing: str = ""
    """What was left out of it."""


def run_probe(
    task: Task,
    batches: Iterable[int],
    *,
    seconds: float,
    encodes: bool = False,
    report: Callable[[str], None] = lambda doing: None,
) -> ProbeResult:
    """Measure steps of rising batches for about so many seconds; `report` hears of each.

    A batch is left out where those before it say that memory or time would not do.
    """
    found = ProbeResult()
    with _probe(task) as probe:
        late = ProbeFailure(f"building the stage takes more than {PATIENCE:.0f} s")
        ground = probe.receive(PATIENCE, late)
        if isinstance(ground, ProbeFailure):
            found.stopped = ground
            return found
        assert isinstance(ground, Baseline)
        found.missing = ground.missing
        found.points.append(StepSample(0, ground.bytes + ground.state, None))
        started = time.monotonic()
        for batch in batches:
            left = seconds - (time.monotonic() - started)
            found.stopped = _beyond(found.points, batch, task.limit, left)
            if found.stopped is not None:
                break
            report(f"a step of {batch}")
            reply = probe.ask(StepRequest(batch, left / 2), max(left, 1.0), _late(batch, left))
            if isinstance(reply, ProbeFailure):
                found.stopped = reply
                break
            found.points.append(reply)
        if encodes and len(found.points) > 1 and probe.process.is_alive():
            report("how long a crop is encoded")
            reply = probe.ask(None, max(seconds, 10.0), ProbeFailure("encoding takes too long"))
            found.encoding = reply if isinstance(reply, float) else None
    return found


def doubling(most: int) -> Iterator[int]:
    """Yield 1, 2, 4, ... and at last `most`."""
    batch = 1
    while batch < most:
        yield batch
        batch *= 2
    yield most


def _beyond(points: list[StepSample], batch: int, limit: int, left: float) -> ProbeFailure | None:
    """Return why a batch is not tried, as far as those before it tell."""
    if len(points) == 1:
        return None
    memory = LinearFit.through([(sample.batch, sample.bytes) for sample in points])
    if memory.at(batch) > limit:
        return ProbeFailure(f"a batch of {batch} would not fit", memory=True)
    last = points[-1]
    if last.seconds is not None and 2 * last.seconds * batch / last.batch > left:
        return ProbeFailure(f"a batch of {batch} would take too long to measure")
    return None


def _late(batch: int, seconds: float) -> ProbeFailure:
    """Return what to say where there is no answer in time."""
    told = f"a step of {batch} takes more than {max(seconds, 1.0):.0f} s"
    return ProbeFailure(told, longer_than=seconds if batch == 1 else None)


class _Probe:
    """A running probe."""

    def __init__(self, process: BaseProcess, connection: Connection) -> None:
        self.process, self.connection = process, connection

    def ask(self, order: StepRequest | None, patience: float, late: ProbeFailure) -> Any:
        """Return the answer to an order, see `receive`."""
        self.connection.send(order)
        return self.receive(patience, late)

    def receive(self, patience: float, late: ProbeFailure) -> Any:
        """Return what the probe says next or a ProbeFailure, `late` after so many seconds."""
        try:
            if self.connection.poll(patience):
                return self.connection.recv()
        except (EOFError, OSError):
            self.process.join()
            return UNFIT if (self.process.exitcode or 0) < 0 else ProbeFailure("the probe failed")
        return late


@contextmanager
def _probe(task: Task) -> Iterator[_Probe]:
    """Start a probe, and end it whatever happens."""
    context = get_context("spawn")
    connection, other_end = context.Pipe()
    process = context.Process(target=worker_main, args=(other_end, task), daemon=True)
    process.start()
    other_end.close()
    try:
        yield _Probe(process, connection)
    finally:
        process.kill()
        process.join()
        connection.close()
