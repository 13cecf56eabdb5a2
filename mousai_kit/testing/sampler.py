"""The contracts of samplers: of all that solve, of those that go down a schedule's levels, and that
turn.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from mousai_kit.core.component import Component, Options, Use
from mousai_kit.core.interfaces import Sampler, Schedule, Velocity
from mousai_kit.models.sampling import SteppedSampler
from mousai_kit.testing.assertions import assert_alike, assert_finite
from mousai_kit.testing.fakes import SCHEDULES, Squared
from mousai_kit.testing.reference_velocities import (
    DEVIATION,
    MEANS,
    curved_velocity,
    gaussian,
    mixture,
    noise,
    point,
)
from mousai_kit.testing.sampler_base import SamplerSuite


class SamplerContract(SamplerSuite):
    """What every sampler keeps to, but one that jumps.

    `options` should be those of a short sampling. The rules about where samples land use as many
    steps as a fine one takes: 300, if there is an option `steps`, or what `fine` says instead.
    """

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        component = getattr(cls, "component", Sampler)
        if component.jumps:
            raise TypeError(
                f"{cls.__name__} tests a sampler that jumps; inherit JumpSamplerContract, "
                "whose rules need no solver"
            )
        if issubclass(component, SteppedSampler) and not issubclass(cls.interface, SteppedSampler):
            raise TypeError(
                f"{cls.__name__} tests a SteppedSampler; inherit SteppedSamplerContract, "
                "which has its rules too"
            )

    @property
    def curve(self) -> Velocity:
        """Return a velocity that no data have."""
        return curved_velocity

    def point(self, data: Tensor, schedule: Schedule) -> Velocity:
        """Return the exact velocity for data that is always the same."""
        return point(data, schedule)

    def gaussian(self, mean: float, deviation: float, schedule: Schedule) -> Velocity:
        """Return the exact velocity for independent numbers of one mean and deviation."""
        return gaussian(mean, deviation, schedule)

    def test_a_mixture_keeps_its_shares(self) -> None:
        start = noise(1, 1, 1000)
        for schedule in SCHEDULES[:2]:
            made = self.sample(self.fine_sampler(schedule), mixture(schedule), start).flatten()
            away, nearest = (made[:, None] - MEANS).abs().min(1)
            shares = torch.bincount(nearest, minlength=3) / len(made)
            rule = "a third of the samples must lie around each of three equal means"
            assert_alike(shares, torch.full((3,), 1 / 3), rule, within=0.05)
            spread = away.square().mean().sqrt()
            rule = "samples must lie as far around a mean as the data do"
            assert_alike(spread, torch.tensor(DEVIATION).to(spread), rule, within=0.04)


STEPS = (1, 2, 3, 4, 9)


class SteppedSamplerContract(SamplerContract):
    """What every subclass of mk.SteppedSampler keeps to, beside the rules of all samplers."""

    interface: ClassVar[type[Component]] = SteppedSampler

    def test_it_goes_down_the_levels_of_its_schedule_at_any_number_of_steps(self) -> None:
        for schedule in SCHEDULES:
            for steps in STEPS:
                sampler = self.sampler(schedule, steps=steps)
                told, expected = sampler.levels(), schedule.levels(len(sampler.levels()) - 1)
                assert torch.equal(told, expected), "levels() must be the schedule's"
                asked = [
                    sigma[0].item() for _, sigma, _ in self.evaluations_of(sampler, noise(2, 3, 5))
                ]
                rule = "the network must be asked at the levels that are told, from 1 downwards"
                assert asked == sorted(asked, reverse=True), rule
                assert set(asked) == set(told[:-1].tolist()), rule

    def test_steps_is_exactly_how_often_the_network_is_asked(self) -> None:
        for steps in STEPS:
            sampler = self.sampler(steps=steps)
            asked = len(self.evaluations_of(sampler, noise(1, 1, 4)))
            assert asked == sampler.steps, f"`steps` is {sampler.steps}, but {asked} were asked"
            assert asked <= steps, f"the option `steps` was {steps}, but {asked} were asked"

    def test_another_schedules_levels_leave_the_mixture_as_it_is(self) -> None:
        levels, mixed = Use(Squared, Options()), SCHEDULES[1]
        sampler = self.sampler(mixed, levels=levels, steps=300)
        expected = Squared(Options()).levels(len(sampler.levels()) - 1)
        assert torch.equal(sampler.levels(), expected), "levels() must be those of `levels`"
        self.check_mixture(sampler, mixed)

    def test_single_precision_stays_finite_at_any_number_of_steps(self) -> None:
        for schedule in SCHEDULES:
            start = noise(1, 1, 4, dtype=torch.float32)
            for steps in (*STEPS, 50):
                sampler = self.sampler(schedule, steps=steps)
                made = self.sample(sampler, self.gaussian(0.0, 1.0, schedule), start)
                assert_finite(made, f"a sample of {steps} steps must be finite")


class RotationSamplerContract(SteppedSamplerContract):
    """What a stepped sampler keeps to whose steps turn along the quarter circle.

    Such a step, as DDIM's, is exact where the network always sees the same signal: so one is
    enough, and a level off by one shows.
    """

    def test_a_point_is_hit_exactly_at_any_number_of_steps(self) -> None:
        data = noise(1, 3, 5)
        for schedule in SCHEDULES:
            for steps in STEPS:
                sampler = self.sampler(schedule, steps=steps)
                made = self.sample(sampler, self.point(data, schedule), noise(2, 3, 5))
                rule = f"{steps} steps must hit data that is always the same exactly"
                assert_alike(made, data.expand_as(made), rule, within=1e-7)

    def test_a_single_step_returns_the_negated_velocity(self) -> None:
        start = noise(2, 3, 5)
        made = self.sample(self.sampler(steps=1), curved_velocity, start)
        expected = -curved_velocity(start, torch.ones(2, dtype=start.dtype))
        assert_alike(made, expected, "at noise alone the signal that is seen is -v")
