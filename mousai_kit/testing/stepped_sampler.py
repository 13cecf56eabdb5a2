"""The contract of samplers that go down a schedule's levels, and of those that turn."""

from __future__ import annotations

from typing import ClassVar

import torch

from mousai_kit.component import Component, Options, Use
from mousai_kit.stepping import SteppedSampler
from mousai_kit.testing.comparing import assert_alike, assert_finite
from mousai_kit.testing.exact import curved, gaussian, noise, point
from mousai_kit.testing.neighbours import SCHEDULES, Squared
from mousai_kit.testing.sampler import SamplerContract

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
                asked = [sigma[0].item() for _, sigma in self.asked(sampler, noise(2, 3, 5))]
                rule = "the network must be asked at the levels that are told, from 1 downwards"
                assert asked == sorted(asked, reverse=True), rule
                assert set(asked) == set(told[:-1].tolist()), rule

    def test_steps_is_exactly_how_often_the_network_is_asked(self) -> None:
        for steps in STEPS:
            sampler = self.sampler(steps=steps)
            asked = len(self.asked(sampler, noise(1, 1, 4)))
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
                made = self.sample(sampler, gaussian(0.0, 1.0, schedule), start)
                assert_finite(made, f"a sample of {steps} steps must be finite")


class TurningSamplerContract(SteppedSamplerContract):
    """What a stepped sampler keeps to whose steps turn along the quarter circle.

    Such a step, as DDIM's, is exact where the network always sees the same signal: so one is
    enough, and a level off by one shows.
    """

    def test_a_point_is_hit_exactly_at_any_number_of_steps(self) -> None:
        data = noise(1, 3, 5)
        for schedule in SCHEDULES:
            for steps in STEPS:
                sampler = self.sampler(schedule, steps=steps)
                made = self.sample(sampler, point(data, schedule), noise(2, 3, 5))
                rule = f"{steps} steps must hit data that is always the same exactly"
                assert_alike(made, data.expand_as(made), rule, within=1e-7)

    def test_a_single_step_returns_the_negated_velocity(self) -> None:
        start = noise(2, 3, 5)
        made = self.sample(self.sampler(steps=1), curved, start)
        expected = -curved(start, torch.ones(2, dtype=start.dtype))
        assert_alike(made, expected, "at noise alone the signal that is seen is -v")
