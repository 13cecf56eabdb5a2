"""Samplers with a bug each."""

from itertools import pairwise
from math import cos, pi, sin

import torch
from planted_suites import suites

import mousai_kit.api as mk
from mousai_kit.testing import RotationSamplerContract, SamplerContract
from mousai_kit.testing.fakes import QuarterCircle


class Healthy(mk.Sampler):
    """Turns along the quarter circle, without a bug."""

    name = "healthy"

    class Options(mk.Options):
        """Options of `sampler: healthy`."""

        steps: int = mk.Field(5, ge=1, description="evaluations of the network")

    def __init__(self, options, *, schedule):
        self.schedule, self.steps = schedule, options.steps

    def levels(self):
        return self.schedule.levels(self.steps)

    def angles(self, levels):
        alpha, beta = self.schedule.weights(levels.double())
        return torch.atan2(beta, alpha).tolist()

    def step(self, x, v, h, generator):
        """Return x after a turn by an angle h."""
        return cos(h) * x + sin(h) * v

    def sample(self, velocity, noise, *, generator=None):
        levels, x = self.levels(), noise
        for level, (now, later) in zip(levels.to(x), pairwise(self.angles(levels)), strict=False):
            x = self.step(x, velocity(x, level.expand(len(x))), later - now, generator)
        return x


class WrongSign(Healthy):
    """Steps away from the signal."""

    breaks = "test_no_noise_is_left_of_data_that_is_known"

    def step(self, x, v, h, generator):
        return super().step(x, v, -h, generator)


class StopsEarly(Healthy):
    """The last step is not made."""

    breaks = "test_no_noise_is_left_of_data_that_is_known"

    def angles(self, levels):
        *inner, last, _ = super().angles(levels)
        return [*inner, last, last]


class AsksTooLate(Healthy):
    """The network is asked at the level where a step leads."""

    breaks = "test_it_begins_with_the_noise_at_level_1"

    def sample(self, velocity, noise, *, generator=None):
        levels, x = self.levels(), noise
        for level, (now, later) in zip(
            levels[1:].to(x), pairwise(self.angles(levels)), strict=True
        ):
            x = self.step(x, velocity(x, level.expand(len(x))), later - now, generator)
        return x


class OnlyCosine(Healthy):
    """The cosine's mixtures, whatever the schedule's."""

    breaks = "test_signal_and_noise_are_mixed_as_the_schedule_does"

    def angles(self, levels):
        alpha, beta = QuarterCircle(mk.Options()).weights(levels.double())
        return torch.atan2(beta, alpha).tolist()


class AssumesNoise(Healthy):
    """Level 1 is taken for noise alone, which a part of a schedule does not begin with."""

    breaks = "test_it_begins_partway_from_a_signal_that_is_noised"

    def angles(self, levels):
        _, *lower = super().angles(levels)
        return [pi / 2, *lower]


class ClampsTheSignal(Healthy):
    """What is seen of the signal is clamped to [-1, 1], which latents need not keep to."""

    breaks = "test_gaussian_data_has_the_right_mean_and_deviation"

    def sample(self, velocity, noise, *, generator=None):
        return super().sample(velocity, noise).clamp(-1, 1)


class InPlace(Healthy):
    """The noise itself is changed."""

    breaks = "test_the_noise_is_not_changed_in_place"

    def step(self, x, v, h, generator):
        return x.copy_(super().step(x, v, h, generator))


class ChangesTheVelocity(Healthy):
    """The network's result is scaled in place."""

    breaks = "test_velocities_are_not_changed_in_place"

    def step(self, x, v, h, generator):
        return cos(h) * x + v.mul_(sin(h))


class GlobalNoise(Healthy):
    """Fresh noise from torch's global generator."""

    breaks = "test_further_noise_comes_from_the_generator_alone"

    def step(self, x, v, h, generator):
        return super().step(x, v, h, generator) + 1e-3 * torch.randn_like(x)


class OneNoiseForAll(Healthy):
    """Every clip gets the first one's fresh noise."""

    breaks = "test_items_of_a_batch_do_not_mix"

    def step(self, x, v, h, generator):
        return super().step(x, v, h, generator) + 1e-3 * generator.like(x)[:1]


class NeedsAGenerator(Healthy):
    """Without a generator it crashes where it should ask for a seed."""

    breaks = "test_without_a_generator_it_needs_no_noise_or_says_so"

    def step(self, x, v, h, generator):
        return super().step(x, v, h, generator) + 1e-3 * generator.like(x)


class ScaledByTheBatch(Healthy):
    """A velocity is held down by the loudest clip of the batch."""

    breaks = "test_items_of_a_batch_do_not_mix"

    def step(self, x, v, h, generator):
        return super().step(x, v / v.abs().max().clamp(min=1), h, generator)


class Remembers(Healthy):
    """The last velocity of one piece is used in the next."""

    breaks = "test_the_same_seed_gives_the_same_sample"

    last = None

    def step(self, x, v, h, generator):
        bent = v if self.last is None or self.last.shape != v.shape else 0.9 * v + 0.1 * self.last
        self.last = v
        return super().step(x, bent, h, generator)


class DoubleLevels(Healthy):
    """Levels in double precision, whatever x is."""

    breaks = "test_the_network_is_asked_at_levels_between_0_and_1_one_per_clip"

    def sample(self, velocity, noise, *, generator=None):
        return super().sample(lambda x, sigma: velocity(x, sigma.double()).to(x), noise)


class OneLevelForAll(Healthy):
    """The network is asked with a single level in place of one for each clip."""

    breaks = "test_the_network_is_asked_at_levels_between_0_and_1_one_per_clip"

    def sample(self, velocity, noise, *, generator=None):
        return super().sample(lambda x, sigma: velocity(x, sigma[:1]), noise)


class DoubleResult(Healthy):
    """A sample in double precision, whatever the noise is."""

    breaks = "test_any_shape_and_type_is_kept"

    def sample(self, velocity, noise, *, generator=None):
        return super().sample(velocity, noise).double()


class BeginsBelow(Healthy):
    """Begins a little below level 1, with pure noise all the same."""

    breaks = "test_it_begins_with_the_noise_at_level_1"

    def levels(self):
        return super().levels() * 0.97


class TellsOthers(Healthy):
    """The levels that are told are not those that are asked."""

    breaks = "test_levels_that_are_told_are_those_that_are_asked"

    def levels(self):
        return self.schedule.levels(self.steps + 1)

    def sample(self, velocity, noise, *, generator=None):
        told = self.levels
        self.levels = lambda: self.schedule.levels(self.steps)
        made = super().sample(velocity, noise)
        self.levels = told
        return made


class Miscounts(Healthy):
    """`steps` is left at the default of 1."""

    breaks = "test_steps_is_about_how_often_the_network_is_asked"

    @property
    def steps(self):
        return 1

    @steps.setter
    def steps(self, value):
        self.count = value

    def levels(self):
        return self.schedule.levels(self.count)


class LogOfAlpha(Healthy):
    """Steps in the log signal-to-noise ratio, which is none in single precision at level 1."""

    breaks = "test_single_precision_stays_finite"

    def angles(self, levels):
        alpha, beta = self.schedule.weights(levels)
        return (-(alpha / beta).log()).exp().atan().tolist()


class MatchesMoments(Healthy):
    """The noise itself, brought to the sample's mean and deviation."""

    breaks = "test_a_mixture_keeps_its_shares"

    def sample(self, velocity, noise, *, generator=None):
        made = super().sample(velocity, noise)
        mean, deviation = made.mean((1, 2), keepdim=True), made.std((1, 2), keepdim=True)
        return noise * deviation + mean


class Stepped(mk.SteppedSampler):
    """Turns down the levels, without a bug."""

    name = "stepped"

    def sample(self, velocity, noise, *, generator=None):
        x = noise
        for sigma, now, later in self.iterate_levels(noise):
            h = later.angle - now.angle
            x = cos(h) * x + sin(h) * velocity(x, sigma)
        return x


class OwnLevels(Stepped):
    """Goes down even levels, whatever the schedule's."""

    breaks = "test_it_goes_down_the_levels_of_its_schedule_at_any_number_of_steps"

    def levels(self):
        return torch.linspace(1, 0, self.num_intervals + 1)


class MixesByItsLevels(Stepped):
    """Mixes as the schedule does that gives the levels, not as the stage's."""

    breaks = "test_another_schedules_levels_leave_the_mixture_as_it_is"

    def __init__(self, options, *, schedule):
        super().__init__(options, schedule=schedule)
        self.schedule = self.spacing


class OnceMore(Stepped):
    """One more evaluation at the end than `steps` says."""

    breaks = "test_steps_is_exactly_how_often_the_network_is_asked"

    def sample(self, velocity, noise, *, generator=None):
        x = super().sample(velocity, noise)
        velocity(x, torch.zeros(len(x)).to(x))
        return x


class Straight(Stepped):
    """Steps along the tangent, where a point needs a turn."""

    breaks = "test_a_point_is_hit_exactly_at_any_number_of_steps"

    def sample(self, velocity, noise, *, generator=None):
        x = noise
        for sigma, now, later in self.iterate_levels(noise):
            x = x + (later.angle - now.angle) * velocity(x, sigma)
        return x


class TurnsShort(Stepped):
    """The last turn leaves a hundredth of the way."""

    breaks = "test_a_single_step_returns_the_negated_velocity"

    def sample(self, velocity, noise, *, generator=None):
        x = noise
        for sigma, now, later in self.iterate_levels(noise):
            h = (later.angle - now.angle) * (1 if later.sigma else 0.99)
            x = cos(h) * x + sin(h) * velocity(x, sigma)
        return x


class CountsFromOne(Stepped):
    """A share of the way is worked out over one step less, which may be none."""

    breaks = "test_single_precision_stays_finite_at_any_number_of_steps"

    def sample(self, velocity, noise, *, generator=None):
        share = torch.zeros(()) / (self.num_intervals - 1)
        return super().sample(velocity, noise) + share


globals().update(suites(SamplerContract, Healthy))
globals().update(suites(RotationSamplerContract, Stepped, options={"steps": 5}))
