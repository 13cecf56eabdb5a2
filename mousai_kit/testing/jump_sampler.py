"""The contract of samplers that jump: distilled ones, exact with a network that knows the way."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from mousai_kit.core.errors import RequestError
from mousai_kit.core.interfaces import JumpVelocity, NoiseSource, Sampler, Schedule
from mousai_kit.testing.assertions import assert_alike
from mousai_kit.testing.fakes import SCHEDULES
from mousai_kit.testing.reference_velocities import (
    carry,
    curved_velocity,
    jump_curved,
    jump_gaussian,
    noise,
)
from mousai_kit.testing.sampler_base import SamplerSuite

STEPS = (1, 2, 3, 8)


class JumpSamplerContract(SamplerSuite):
    """What a sampler keeps to that jumps: it gives the velocity targets (`jumps = True`).

    It need not come nearer with more steps: with a velocity that knows every jump it is exact with
    any number of them, and so one is enough. Its rules are those of all samplers, asked with such
    velocities, and these.
    """

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        component = getattr(cls, "component", None)
        if component is not None and not component.jumps:
            raise TypeError(
                f"{cls.__name__} tests a sampler that does not jump; inherit SamplerContract, or "
                "say `jumps = True` in the sampler"
            )

    @property
    def curve(self) -> JumpVelocity:
        """Return a velocity that no data have, and takes a target."""
        return JumpVelocity(jump_curved)

    def point(self, data: Tensor, schedule: Schedule) -> JumpVelocity:
        """Return the exact velocity, to any target, for data that is always the same."""
        return jump_gaussian(data, 0.0, schedule)

    def gaussian(self, mean: float, deviation: float, schedule: Schedule) -> JumpVelocity:
        """Return the exact velocity, to any target, for numbers of one mean and deviation."""
        return jump_gaussian(mean, deviation, schedule)

    def short_samplers(self, schedule: Schedule) -> list[Sampler]:
        """Return the sampler with few steps and more, as far as it has an option for them."""
        if "steps" not in self.component.Options.model_fields:
            return [self.sampler(schedule)]
        return [self.sampler(schedule, steps=steps) for steps in STEPS]

    def test_every_target_lies_below_its_level_and_the_last_is_0(self) -> None:
        for schedule in SCHEDULES:
            for sampler in self.short_samplers(schedule):
                asked = self.evaluations_of(sampler, noise(3, 2, 5))
                for x, sigma, target in asked:
                    assert target is not None, "a sampler that jumps must give every call a target"
                    rule = "target must be [b], of x's type"
                    assert (target.shape, target.dtype) == (sigma.shape, x.dtype), rule
                    rule = "a target must lie below the level, in [0, sigma)"
                    assert ((target >= 0) & (target < sigma)).all(), rule
                last = asked[-1].target
                assert last is not None
                assert not last.any(), "the last jump must go to 0: the signal"

    def test_known_data_is_hit_exactly_in_any_number_of_steps(self) -> None:
        data = 2 + noise(1, 3, 5)
        for schedule in SCHEDULES:
            for sampler in self.short_samplers(schedule):
                made = self.sample(sampler, self.point(data, schedule), noise(2, 3, 5))
                rule = f"{sampler.steps} exact jumps must hit data that is always the same"
                assert_alike(made, data.expand_as(made), rule, within=1e-6)

    def test_samples_have_the_datas_spread_in_any_number_of_steps(self) -> None:
        start = noise(1, 1, 3000)
        for schedule in SCHEDULES:
            for sampler in self.short_samplers(schedule):
                made = self.sample(sampler, self.gaussian(0.7, 0.5, schedule), start)
                found = torch.stack([made.mean(), made.std()])
                rule = f"of {sampler.steps} exact jumps mean and deviation must be the data's"
                assert_alike(found, torch.tensor([0.7, 0.5]).to(found), rule, within=0.04)

    def test_without_fresh_noise_it_ends_where_the_flow_does(self) -> None:
        start = noise(2, 1, 50)
        for schedule in SCHEDULES:
            velocity = self.gaussian(0.7, 0.5, schedule)
            for sampler in self.short_samplers(schedule):
                made = self.sample(sampler, velocity, start)
                if not torch.equal(made, self.sample(sampler, velocity, start, [7, 8])):
                    continue  # it draws noise, and leaves the flow on purpose
                expected = carry(start, schedule, torch.tensor([0.7]).double(), 0.5)
                rule = f"{sampler.steps} exact jumps must end where the whole way does"
                assert_alike(made, expected, rule, within=1e-6)

    def test_a_network_that_does_not_jump_is_refused(self) -> None:
        start = noise(2, 1, 6)
        with pytest.raises(RequestError) as refused:
            self.sampler().sample(
                JumpVelocity.of(curved_velocity), start, generator=NoiseSource(range(2))
            )
        assert "\n" not in str(refused.value), "what is wrong must be told in one line"
