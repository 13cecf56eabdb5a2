"""The contracts of samplers: of all, of those that go down a schedule's levels, and that turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from mousai_kit.core.component import Component, Options, Use
from mousai_kit.core.errors import MousaiError
from mousai_kit.core.interfaces import NoiseSource, Sampler, Schedule, Velocity
from mousai_kit.models.partway import Partway
from mousai_kit.models.sampling import SteppedSampler
from mousai_kit.testing.assertions import assert_alike, assert_finite, tensor
from mousai_kit.testing.contract import Contract
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

SHAPES = ((1, 1, 1), (3, 2, 17), (2, 1, 4))
Asked = list[tuple[Tensor, Tensor]]
"""x and sigma of each evaluation."""


class SamplerContract(Contract):
    """What every sampler keeps to.

    `options` should be those of a short sampling. The rules about where samples land use as many
    steps as a fine one takes: 300, if there is an option `steps`, or what `fine` says instead.
    """

    interface: ClassVar[type[Component]] = Sampler
    fine: ClassVar[dict[str, Any] | None] = None
    """Options with which the sampler's own error is a few percent; None: 300 steps."""

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        component = getattr(cls, "component", Sampler)
        if issubclass(component, SteppedSampler) and not issubclass(cls.interface, SteppedSampler):
            raise TypeError(
                f"{cls.__name__} tests a SteppedSampler; inherit SteppedSamplerContract, "
                "which has its rules too"
            )

    def sampler(self, schedule: Schedule = SCHEDULES[0], **changes: Any) -> Any:
        """Return the sampler with some options changed."""
        return self.use(**changes).build(schedule=schedule)

    def fine_sampler(self, schedule: Schedule) -> Any:
        """Return the sampler with options for a fine sampling."""
        stepped = "steps" in self.component.Options.model_fields
        return self.sampler(schedule, **(self.fine or ({"steps": 300} if stepped else {})))

    def sample(self, sampler: Any, velocity: Velocity, start: Tensor, seeds: Any = None) -> Tensor:
        """Return a sample, any further noise from seeds, those of the clips' places by default."""
        source = NoiseSource(range(len(start)) if seeds is None else seeds)
        made = sampler.sample(velocity, start, generator=source)
        return tensor(made, "sample must return a tensor of the noise's shape")

    def evaluations_of(
        self, sampler: Any, start: Tensor, network: Velocity = curved_velocity
    ) -> Asked:
        """Return what a sampler asks the network for."""
        seen: Asked = []

        def velocity(x: Tensor, sigma: Tensor) -> Tensor:
            seen.append((x.clone(), sigma.clone()))
            return network(x, sigma)

        self.sample(sampler, velocity, start)
        return seen

    def check_mixture(self, sampler: Any, schedule: Schedule) -> None:
        """Fail where x at a level is no mixture of a signal and noise by the schedule's weights."""
        data, found, wanted = torch.full((1, 1, 1), 2.0, dtype=torch.float64), [], []
        alpha, beta = schedule.weights(torch.ones((), dtype=torch.float64))
        start = alpha * data + beta * noise(1, 1, 2000)
        for x, sigma in self.evaluations_of(sampler, start, point(data, schedule)):
            alpha, beta = schedule.weights(sigma)
            found.append(torch.stack([x.mean(), x.std()]))
            wanted.append(torch.stack([alpha[0] * data.mean(), beta[0]]))
        rule = "at every level x must be alpha * signal + beta * noise, the schedule's weights"
        assert_alike(torch.stack(found), torch.stack(wanted), rule, within=0.06)

    def test_no_noise_is_left_of_data_that_is_known(self) -> None:
        data = 2 + noise(1, 3, 40)
        for schedule in SCHEDULES:
            made = self.sample(self.fine_sampler(schedule), point(data, schedule), noise(2, 3, 40))
            rule = "with a network that knows the data, a sample must land on it from any noise"
            assert_alike(made, data.expand_as(made), rule, within=0.03)
            assert_alike(made[0], made[1], rule, within=0.01)

    def test_signal_and_noise_are_mixed_as_the_schedule_does(self) -> None:
        for schedule in SCHEDULES:
            self.check_mixture(self.fine_sampler(schedule), schedule)

    def test_gaussian_data_has_the_right_mean_and_deviation(self) -> None:
        start = noise(1, 1, 3000)
        for schedule in SCHEDULES:
            velocity = gaussian(0.7, 0.5, schedule)
            made = self.sample(self.fine_sampler(schedule), velocity, start)
            found = torch.stack([made.mean(), made.std()])
            rule = "mean and deviation of samples must be the data's, 0.7 and 0.5 here"
            assert_alike(found, torch.tensor([0.7, 0.5]).to(found), rule, within=0.03)

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

    def test_any_shape_and_type_is_kept(self) -> None:
        for shape in SHAPES:
            for dtype in (torch.float32, torch.float64):
                made = self.sample(self.sampler(), curved_velocity, noise(*shape, dtype=dtype))
                rule = "a sample must have the shape and the type of the noise"
                assert (tuple(made.shape), made.dtype) == (shape, dtype), rule

    def test_single_precision_stays_finite(self) -> None:
        for schedule in SCHEDULES:
            start = noise(2, 1, 4, dtype=torch.float32)
            for sampler in (self.sampler(schedule), self.fine_sampler(schedule)):
                made = self.sample(sampler, gaussian(0.0, 1.0, schedule), start)
                assert_finite(made, "a sample must be finite in single precision too")

    def test_the_network_is_asked_at_levels_between_0_and_1_one_per_clip(self) -> None:
        for dtype in (torch.float32, torch.float64):
            for x, sigma in self.evaluations_of(self.sampler(), noise(3, 2, 5, dtype=dtype)):
                assert tuple(x.shape) == (3, 2, 5), "x must be of the noise's shape"
                rule = "sigma must be [b], of x's type"
                assert (tuple(sigma.shape), sigma.dtype, x.dtype) == ((3,), dtype, dtype), rule
                assert ((sigma >= 0) & (sigma <= 1)).all(), "sigma must lie in [0, 1]"

    def test_it_begins_with_the_noise_at_level_1(self) -> None:
        start = noise(2, 2, 5)
        x, sigma = self.evaluations_of(self.sampler(), start)[0]
        assert sigma.tolist() == [1, 1], "the first evaluation must be at level 1: noise alone"
        assert_alike(x, start, "the first evaluation must be of the noise as it was given")

    def test_it_begins_partway_from_a_signal_that_is_noised(self) -> None:
        data, start = 2 + noise(1, 3, 40), noise(2, 3, 40)
        for schedule in SCHEDULES:
            part = Partway(schedule, 0.6)
            x, velocity = part.add_noise(data, start), point(data, part)
            asked, sigma = self.evaluations_of(self.sampler(part), x, velocity)[0]
            assert sigma.tolist() == [1, 1], "a part of a schedule begins at its own level 1"
            rule = "where a schedule's level 1 holds signal, it begins with what it is given"
            assert_alike(asked, x, rule)
            self.check_mixture(self.fine_sampler(part), part)

    def test_levels_that_are_told_are_those_that_are_asked(self) -> None:
        sampler, start = self.sampler(), noise(2, 3, 5)
        told = sampler.levels()
        assert told.device.type == "cpu", "levels() are read as numbers: make them on the CPU"
        if not len(told):  # it does not know beforehand, which is allowed
            return
        assert (told[0], told[-1]) == (1, 0), "levels() must run from exactly 1 to exactly 0"
        assert (told.diff() < 0).all(), "levels() must fall strictly"
        asked = {
            level for _, sigma in self.evaluations_of(sampler, start) for level in sigma.tolist()
        }
        rule = "levels() must be the levels at which the network is asked, and 0 at the end"
        assert sorted(asked) == sorted(told[:-1].to(start).tolist()), rule

    def test_steps_is_about_how_often_the_network_is_asked(self) -> None:
        for sampler in (self.sampler(), self.fine_sampler(SCHEDULES[0])):
            asked = len(self.evaluations_of(sampler, noise(1, 1, 4)))
            rule = f"`steps` is {sampler.steps}, but the network is asked {asked} times"
            assert abs(asked - sampler.steps) <= max(2, asked // 4), rule

    def test_the_same_seed_gives_the_same_sample(self) -> None:
        sampler, start = self.sampler(), noise(2, 1, 6)
        once = self.sample(sampler, curved_velocity, start)
        for other in (noise(3, 2, 4), 3 * start):  # other pieces in between
            self.sample(sampler, curved_velocity, other)
        rule = "a sample must depend on noise and seed alone, not on samples made before"
        assert torch.equal(once, self.sample(sampler, curved_velocity, start)), rule

    def test_items_of_a_batch_do_not_mix(self) -> None:
        sampler, start = self.sampler(), noise(3, 2, 4)
        seeds: Sequence[int] = (7, 8, 9)
        together = self.sample(sampler, curved_velocity, start, seeds)
        each = zip(start.split(1), seeds, strict=True)
        alone = torch.cat(
            [self.sample(sampler, curved_velocity, seed_noise, [seed]) for seed_noise, seed in each]
        )
        assert_alike(together, alone, "a clip must not depend on those beside it", within=1e-10)

    def test_further_noise_comes_from_the_generator_alone(self) -> None:
        sampler, start = self.sampler(), noise(2, 1, 6)
        torch.manual_seed(0)
        before, once = torch.get_rng_state(), self.sample(sampler, curved_velocity, start)
        rule = "noise must come from `generator`, never from torch's global generator"
        assert torch.equal(before, torch.get_rng_state()), rule
        torch.manual_seed(1)
        assert torch.equal(once, self.sample(sampler, curved_velocity, start)), rule

    def test_without_a_generator_it_needs_no_noise_or_says_so(self) -> None:
        sampler, start = self.sampler(), noise(2, 1, 6)
        try:
            once = sampler.sample(curved_velocity, start)
        except MousaiError:  # one line that asks for a seed
            return
        rule = "without a generator a sample must be the same every time, or an mk.RequestError"
        assert torch.equal(once, sampler.sample(curved_velocity, start)), rule

    def test_the_noise_is_not_changed_in_place(self) -> None:
        start = noise(2, 2, 5)
        self.sample(self.sampler(), curved_velocity, start)
        assert torch.equal(start, noise(2, 2, 5)), "the noise is the caller's: copy it"

    def test_velocities_are_not_changed_in_place(self) -> None:
        given: list[tuple[Tensor, Tensor]] = []

        def velocity(x: Tensor, sigma: Tensor) -> Tensor:
            v = curved_velocity(x, sigma)
            given.append((v, v.clone()))
            return v

        self.sample(self.sampler(), velocity, noise(2, 2, 5))
        rule = "a velocity is the network's, which may keep it: copy it"
        assert all(torch.equal(v, before) for v, before in given), rule


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
                    sigma[0].item() for _, sigma in self.evaluations_of(sampler, noise(2, 3, 5))
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
                made = self.sample(sampler, gaussian(0.0, 1.0, schedule), start)
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
                made = self.sample(sampler, point(data, schedule), noise(2, 3, 5))
                rule = f"{steps} steps must hit data that is always the same exactly"
                assert_alike(made, data.expand_as(made), rule, within=1e-7)

    def test_a_single_step_returns_the_negated_velocity(self) -> None:
        start = noise(2, 3, 5)
        made = self.sample(self.sampler(steps=1), curved_velocity, start)
        expected = -curved_velocity(start, torch.ones(2, dtype=start.dtype))
        assert_alike(made, expected, "at noise alone the signal that is seen is -v")
