"""The contract of schedules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor

from mousai_kit.core.component import Component
from mousai_kit.core.interfaces import Schedule
from mousai_kit.testing.assertions import assert_alike
from mousai_kit.testing.contract import Contract

EXACT = 1e-12
"""What rounding leaves of an exact end in double precision: cos(pi / 2) is 6e-17."""
SHAPES: tuple[tuple[int, ...], ...] = ((), (4,), (2, 3, 1), (0,))
"""Shapes of sigma: a sampler asks for a row of levels, training for a batch."""


class ScheduleContract(Contract):
    """What every schedule keeps to."""

    interface: ClassVar[type[Component]] = Schedule

    def test_variance_is_preserved_at_every_level(self) -> None:
        for sigma, within in _grids():
            alpha, beta = self.build().weights(sigma)
            power = alpha.square() + beta.square()
            rule = "alpha^2 + beta^2 must be 1 at every level, or the network's input has no scale"
            assert_alike(power, torch.ones_like(sigma), rule, within=within)

    def test_both_ends_are_exact(self) -> None:
        for sigma, within in _grids():
            alpha, beta = self.build().weights(sigma)
            ends = torch.stack([alpha[[0, -1]], beta[[0, -1]]])
            rule = "at sigma 0 is the signal alone (alpha 1, beta 0), at 1 noise alone"
            assert_alike(ends, torch.eye(2, dtype=sigma.dtype), rule, within=within)

    def test_weights_are_strictly_monotonic(self) -> None:
        alpha, beta = self.build().weights(torch.linspace(0, 1, 101, dtype=torch.float64))
        assert (alpha.diff() < 0).all(), (
            "alpha must fall from level to level, or steps lead nowhere"
        )
        assert (beta.diff() > 0).all(), "beta must rise from level to level, or steps lead nowhere"

    def test_weights_have_the_shape_type_and_device_of_the_level(self) -> None:
        schedule = self.build()
        for shape in SHAPES:
            for dtype in (torch.float32, torch.float64):
                for device in ("cpu", "meta"):
                    sigma = torch.full(shape, 0.3, dtype=dtype, device=device)
                    for weight in schedule.weights(sigma):
                        made = (tuple(weight.shape), weight.dtype, weight.device.type)
                        rule = "alpha and beta must have sigma's shape, type and device"
                        assert made == (shape, dtype, device), rule

    def test_a_levels_weights_do_not_depend_on_other_levels(self) -> None:
        schedule, sigma = self.build(), torch.tensor([0.1, 0.9, 0.4], dtype=torch.float64)
        together = torch.stack(schedule.weights(sigma))
        alone = torch.cat([torch.stack(schedule.weights(level[None])) for level in sigma], dim=1)
        assert_alike(together, alone, "a level's weights must not depend on the levels beside it")

    def test_the_level_is_not_changed_in_place(self) -> None:
        sigma = torch.linspace(0, 1, 11)
        self.build().weights(sigma)
        assert torch.equal(sigma, torch.linspace(0, 1, 11)), "sigma is the caller's: copy it"

    def test_the_same_level_has_the_same_weights_every_time(self) -> None:
        schedule, sigma = self.build(), torch.linspace(0, 1, 11)
        once = torch.stack(schedule.weights(sigma))
        schedule.weights(sigma.flip(0)[:3])
        schedule.levels(7)
        again = torch.stack(schedule.weights(sigma))
        assert torch.equal(once, again), "weights must not depend on what was asked before"

    def test_there_is_one_level_more_than_steps(self) -> None:
        schedule = self.build()
        wrong = [n for n in _STEPS if tuple(schedule.levels(n).shape) != (n + 1,)]
        assert wrong == [], "levels(steps) must return [steps + 1]: where each begins, and the end"

    def test_levels_run_from_one_to_exactly_zero(self) -> None:
        schedule = self.build()
        wrong = [n for n in _STEPS if schedule.levels(n)[[0, -1]].tolist() != [1, 0]]
        assert wrong == [], "levels must begin at exactly 1 and end at exactly 0"

    def test_levels_fall_strictly(self) -> None:
        schedule = self.build()
        wrong = [n for n in _STEPS if not (schedule.levels(n).diff() < 0).all()]
        assert wrong == [], "levels must fall strictly: a sampler divides by their distance"

    def test_levels_are_floats_on_the_cpu(self) -> None:
        levels: Tensor = self.build().levels(4)
        assert levels.device.type == "cpu", "levels are read as numbers: make them on the CPU"
        assert levels.dtype in (torch.float32, torch.float64), "levels must be float32 or float64"

    def test_levels_are_the_same_every_time(self) -> None:
        schedule = self.build()
        once = schedule.levels(9).clone()
        schedule.levels(4)
        schedule.levels(9).zero_()  # as a caller may do with what is its own
        rule = "levels must be a new tensor, the same in every call"
        assert torch.equal(schedule.levels(9), once), rule


_STEPS = range(1, 1001)


def _grids() -> Iterator[tuple[Tensor, float]]:
    """Yield levels from 0 to 1 in both precisions, and what rounding leaves."""
    for dtype, within in ((torch.float64, EXACT), (torch.float32, 1e-6)):
        yield torch.linspace(0, 1, 101, dtype=dtype), within
