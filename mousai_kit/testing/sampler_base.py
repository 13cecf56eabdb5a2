"""What the suites of samplers share: velocities that are known, and the rules of every sampler."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from mousai_kit.core.component import Component
from mousai_kit.core.errors import MousaiError
from mousai_kit.core.interfaces import JumpVelocity, NoiseSource, Sampler, Schedule, Velocity
from mousai_kit.models.partway import Partway
from mousai_kit.testing.assertions import assert_alike, assert_finite, tensor
from mousai_kit.testing.contract import Contract
from mousai_kit.testing.fakes import SCHEDULES
from mousai_kit.testing.reference_velocities import noise

SHAPES = ((1, 1, 1), (3, 2, 17), (2, 1, 4))


class Asked(NamedTuple):
    """An evaluation of the network."""

    x: Tensor
    sigma: Tensor
    target: Tensor | None


class SamplerSuite(Contract):
    """What every sampler keeps to, whether it solves or jumps."""

    interface: ClassVar[type[Component]] = Sampler
    fine: ClassVar[dict[str, Any] | None] = None
    """Options with which the sampler's own error is a few percent; None: 300 steps."""

    @property
    @abstractmethod
    def curve(self) -> Velocity:
        """Return a velocity that no data have: any function will do for a recurrence."""

    @abstractmethod
    def point(self, data: Tensor, schedule: Schedule) -> Velocity:
        """Return the exact velocity for data that is always the same."""

    @abstractmethod
    def gaussian(self, mean: float, deviation: float, schedule: Schedule) -> Velocity:
        """Return the exact velocity for independent numbers of one mean and deviation."""

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
        self, sampler: Any, start: Tensor, network: Velocity | None = None
    ) -> list[Asked]:
        """Return what a sampler asks the network for."""
        seen: list[Asked] = []
        inner = JumpVelocity.of(self.curve if network is None else network)

        def velocity(x: Tensor, sigma: Tensor, target: Tensor | None) -> Tensor:
            seen.append(Asked(x.clone(), sigma.clone(), None if target is None else target.clone()))
            return inner(x, sigma, target)

        self.sample(sampler, JumpVelocity(velocity, jumps=inner.jumps), start)
        return seen

    def check_mixture(self, sampler: Any, schedule: Schedule) -> None:
        """Fail where x at a level is no mixture of a signal and noise by the schedule's weights."""
        data, found, wanted = torch.full((1, 1, 1), 2.0, dtype=torch.float64), [], []
        alpha, beta = schedule.weights(torch.ones((), dtype=torch.float64))
        start = alpha * data + beta * noise(1, 1, 2000)
        for x, sigma, _ in self.evaluations_of(sampler, start, self.point(data, schedule)):
            alpha, beta = schedule.weights(sigma)
            found.append(torch.stack([x.mean(), x.std()]))
            wanted.append(torch.stack([alpha[0] * data.mean(), beta[0]]))
        rule = "at every level x must be alpha * signal + beta * noise, the schedule's weights"
        assert_alike(torch.stack(found), torch.stack(wanted), rule, within=0.06)

    def test_no_noise_is_left_of_data_that_is_known(self) -> None:
        data = 2 + noise(1, 3, 40)
        for schedule in SCHEDULES:
            made = self.sample(
                self.fine_sampler(schedule), self.point(data, schedule), noise(2, 3, 40)
            )
            rule = "with a network that knows the data, a sample must land on it from any noise"
            assert_alike(made, data.expand_as(made), rule, within=0.03)
            assert_alike(made[0], made[1], rule, within=0.01)

    def test_signal_and_noise_are_mixed_as_the_schedule_does(self) -> None:
        for schedule in SCHEDULES:
            self.check_mixture(self.fine_sampler(schedule), schedule)

    def test_gaussian_data_has_the_right_mean_and_deviation(self) -> None:
        start = noise(1, 1, 3000)
        for schedule in SCHEDULES:
            velocity = self.gaussian(0.7, 0.5, schedule)
            made = self.sample(self.fine_sampler(schedule), velocity, start)
            found = torch.stack([made.mean(), made.std()])
            rule = "mean and deviation of samples must be the data's, 0.7 and 0.5 here"
            assert_alike(found, torch.tensor([0.7, 0.5]).to(found), rule, within=0.03)

    def test_any_shape_and_type_is_kept(self) -> None:
        for shape in SHAPES:
            for dtype in (torch.float32, torch.float64):
                made = self.sample(self.sampler(), self.curve, noise(*shape, dtype=dtype))
                rule = "a sample must have the shape and the type of the noise"
                assert (tuple(made.shape), made.dtype) == (shape, dtype), rule

    def test_single_precision_stays_finite(self) -> None:
        for schedule in SCHEDULES:
            start = noise(2, 1, 4, dtype=torch.float32)
            for sampler in (self.sampler(schedule), self.fine_sampler(schedule)):
                made = self.sample(sampler, self.gaussian(0.0, 1.0, schedule), start)
                assert_finite(made, "a sample must be finite in single precision too")

    def test_the_network_is_asked_at_levels_between_0_and_1_one_per_clip(self) -> None:
        for dtype in (torch.float32, torch.float64):
            for x, sigma, _ in self.evaluations_of(self.sampler(), noise(3, 2, 5, dtype=dtype)):
                assert tuple(x.shape) == (3, 2, 5), "x must be of the noise's shape"
                rule = "sigma must be [b], of x's type"
                assert (tuple(sigma.shape), sigma.dtype, x.dtype) == ((3,), dtype, dtype), rule
                assert ((sigma >= 0) & (sigma <= 1)).all(), "sigma must lie in [0, 1]"

    def test_it_begins_with_the_noise_at_level_1(self) -> None:
        start = noise(2, 2, 5)
        x, sigma, _ = self.evaluations_of(self.sampler(), start)[0]
        assert sigma.tolist() == [1, 1], "the first evaluation must be at level 1: noise alone"
        assert_alike(x, start, "the first evaluation must be of the noise as it was given")

    def test_it_begins_partway_from_a_signal_that_is_noised(self) -> None:
        data, start = 2 + noise(1, 3, 40), noise(2, 3, 40)
        for schedule in SCHEDULES:
            part = Partway(schedule, 0.6)
            x, velocity = part.add_noise(data, start), self.point(data, part)
            asked, sigma, _ = self.evaluations_of(self.sampler(part), x, velocity)[0]
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
            level for _, sigma, _ in self.evaluations_of(sampler, start) for level in sigma.tolist()
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
        once = self.sample(sampler, self.curve, start)
        for other in (noise(3, 2, 4), 3 * start):  # other pieces in between
            self.sample(sampler, self.curve, other)
        rule = "a sample must depend on noise and seed alone, not on samples made before"
        assert torch.equal(once, self.sample(sampler, self.curve, start)), rule

    def test_items_of_a_batch_do_not_mix(self) -> None:
        sampler, start = self.sampler(), noise(3, 2, 4)
        seeds: Sequence[int] = (7, 8, 9)
        together = self.sample(sampler, self.curve, start, seeds)
        each = zip(start.split(1), seeds, strict=True)
        alone = torch.cat(
            [self.sample(sampler, self.curve, seed_noise, [seed]) for seed_noise, seed in each]
        )
        assert_alike(together, alone, "a clip must not depend on those beside it", within=1e-10)

    def test_further_noise_comes_from_the_generator_alone(self) -> None:
        sampler, start = self.sampler(), noise(2, 1, 6)
        torch.manual_seed(0)
        before, once = torch.get_rng_state(), self.sample(sampler, self.curve, start)
        rule = "noise must come from `generator`, never from torch's global generator"
        assert torch.equal(before, torch.get_rng_state()), rule
        torch.manual_seed(1)
        assert torch.equal(once, self.sample(sampler, self.curve, start)), rule

    def test_without_a_generator_it_needs_no_noise_or_says_so(self) -> None:
        sampler, start = self.sampler(), noise(2, 1, 6)
        try:
            once = sampler.sample(self.curve, start)
        except MousaiError:  # one line that asks for a seed
            return
        rule = "without a generator a sample must be the same every time, or an mk.RequestError"
        assert torch.equal(once, sampler.sample(self.curve, start)), rule

    def test_the_noise_is_not_changed_in_place(self) -> None:
        start = noise(2, 2, 5)
        self.sample(self.sampler(), self.curve, start)
        assert torch.equal(start, noise(2, 2, 5)), "the noise is the caller's: copy it"

    def test_velocities_are_not_changed_in_place(self) -> None:
        given: list[tuple[Tensor, Tensor]] = []

        inner = JumpVelocity.of(self.curve)

        def velocity(x: Tensor, sigma: Tensor, target: Tensor | None) -> Tensor:
            v = inner(x, sigma, target)
            given.append((v, v.clone()))
            return v

        self.sample(self.sampler(), JumpVelocity(velocity, jumps=inner.jumps), noise(2, 2, 5))
        rule = "a velocity is the network's, which may keep it: copy it"
        assert all(torch.equal(v, before) for v, before in given), rule
