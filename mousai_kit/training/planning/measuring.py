"""Costing: what a stage's step costs under changed settings, probed while there is time for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from mousai_kit.models import device
from mousai_kit.models import memory as meter
from mousai_kit.models.cascade import Cascade
from mousai_kit.recipe import Recipe, Train
from mousai_kit.training.planning.cost import StepCost, StepSample, Task, together
from mousai_kit.training.planning.probe import ProbeResult, doubling, run_probe

SHARES = {"fp32": 1.0, "bf16": 0.5, "fp16": 0.5}
"""Share of the memory that a clip is estimated to take in fp32 which it takes at least."""
MATTER = ("precision", "recompute", "length")
"""Settings, beside the clips computed at a time, on which a step's cost depends."""
LEAST = 1.0
"""Seconds below which no probe is started."""


class CostEstimator:
    """Costs of a stage's step, each worked out once."""

    def __init__(
        self,
        recipe: Recipe,
        name: str,
        outline: Cascade,
        *,
        seconds: float,
        memory: int,
        report: Callable[[str], None],
    ) -> None:
        """Measure for `seconds` at most, with `memory` bytes; `outline` is on the meta device."""
        self.recipe, self.name, self.outline, self.memory = recipe, name, outline, memory
        self.report = report
        self.stage = outline.stages[name]
        self.left = seconds
        self.found: dict[str, ProbeResult] = {}
        self._guesses: dict[str, StepCost | None] = {}
        self.device = device.resolve_device(recipe.device)
        learned = [parameter for parameter in self.stage.parameters() if parameter.requires_grad]
        self.gradients = sum(tensor.nbytes for tensor in learned)
        self.beside = self._beside()

    def of(self, train: Train) -> StepCost | None:
        """Return what a step costs: as measured, else as estimated, None where neither can be.

        Settings of which not even one clip is estimated to fit are not probed, whatever else this
        process holds: the probe is another one.
        """
        guess = self._guess(train)
        if guess and guess.least - self.beside > self.memory:
            self.found.setdefault(_key(train), ProbeResult())
            return guess
        found = self.measure(train)
        if len(found.points) < 2:
            return guess
        above = self._above()
        points = [replace(sample, bytes=sample.bytes + above) for sample in found.points]
        cost = StepCost.of(points, gradients=self.gradients, measured=True)
        if guess is None:
            return cost
        return cost.no_flatter_than(guess.memory.each * SHARES[train.precision])

    def measure(self, train: Train) -> ProbeResult:
        """Return what a probe found; nothing where there is no time for one."""
        key = _key(train)
        if key not in self.found:
            self.found[key] = self._run_probe(train) if self.left > LEAST else ProbeResult()
        return self.found[key]

    def _run_probe(self, train: Train) -> ProbeResult:
        settings: dict[str, Any] = {**train.model_dump(), "accumulate": 1}
        task = Task(self.recipe.whole.to_yaml(), self.name, settings, self.memory)
        first = not self.found
        share = self.left / 2 if first else self.left / 3
        started = time.monotonic()
        self.report(f"{self.name}: building it to measure steps{self._describe_changes(train)}")
        found = run_probe(
            task,
            doubling(together(train)),
            seconds=share,
            encodes=first and self.stage.input_space.stride > 1,
            report=lambda doing: self.report(f"{self.name}: measuring {doing}"),
        )
        self.left -= min(share, time.monotonic() - started)
        return found

    def _guess(self, train: Train) -> StepCost | None:
        """Return what is estimated, without measuring."""
        if (key := _key(train)) not in self._guesses:
            changed = self._describe_changes(train)
            self.report(f"{self.name}: estimating a step by its shapes{changed}")
            self._guesses[key] = self._estimate(train)
        return self._guesses[key]

    def _estimate(self, train: Train) -> StepCost | None:
        """Return the cost by the shapes of what a step computes, in fp32, None if unknown."""
        signal = meter.meta_input(self.stage, samples=train.length, batch=1)
        self.stage.fit_statistics([signal], ["music"])
        points = []
        most = together(train)
        for batch in sorted({1, -(-most // 2), most}):
            size = meter.step_bytes(
                self.stage, samples=train.length, batch=batch, recompute=train.recompute
            )
            if size is None:
                return None
            points.append(StepSample(batch, size + self.beside, None))
        return StepCost.of(points, gradients=self.gradients, measured=False)

    def _describe_changes(self, train: Train) -> str:
        """Return by which settings a probe differs from the recipe's, in words."""
        own, other = self.recipe.stages[self.name].train.model_dump(), train.model_dump()
        changed = [setting for setting in MATTER if own[setting] != other[setting]]
        return "".join(f", with {setting} {str(other[setting]).lower()}" for setting in changed)

    def _beside(self) -> int:
        """Return the bytes that are held beside a step: the program, the other stages' weights."""
        program = meter.held_bytes(self.device)
        others = (stage for name, stage in self.outline.stages.items() if name != self.name)
        return program + sum(map(_weights, others))

    def _above(self) -> int:
        """Return the bytes of the weights of the stages above, which no probe builds."""
        names = list(self.outline.stages)
        above = names[names.index(self.name) + 1 :]
        return sum(_weights(self.outline.stages[name]) for name in above)


def _key(train: Train) -> str:
    """Return what a probe depends on."""
    return str(train.model_dump(include={*MATTER}) | {"most": together(train)})


def _weights(stage: torch.nn.Module) -> int:
    return sum(parameter.nbytes for parameter in stage.parameters())
