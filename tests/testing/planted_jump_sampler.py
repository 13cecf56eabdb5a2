"""Samplers that jump with a bug each."""

import torch
from planted_suites import suites

import mousai_kit.api as mk
from mousai_kit.testing import JumpSamplerContract


class Shortcut(mk.SteppedSampler):
    """Turns down the levels by what the network says of each step (Frans et al., 2024)."""

    name = "shortcut"
    jumps = True

    def target(self, x, later):
        return x.new_full((len(x),), later.sigma)

    def turn(self, now, later):
        return now.alpha * later.alpha + now.beta * later.beta, (
            now.beta * later.alpha - now.alpha * later.beta
        )

    def sample(self, velocity, noise, *, generator=None):
        velocity, x = mk.JumpVelocity.of(velocity), noise
        for sigma, now, later in self.iterate_levels(noise):
            cos, sin = self.turn(now, later)
            x = cos * x - sin * velocity(x, sigma, self.target(x, later))
        return x


class Consistency(mk.SteppedSampler):
    """Jumps to the signal, and from fresh noise on it again (Song et al., 2023, algorithm 1)."""

    name = "consistency"
    jumps = True

    def sample(self, velocity, noise, *, generator=None):
        velocity, x = mk.JumpVelocity.of(velocity), noise
        for sigma, now, later in self.iterate_levels(noise):
            x = now.alpha * x - now.beta * velocity(x, sigma, torch.zeros_like(sigma))
            if later.sigma:
                x = later.alpha * x + later.beta * self.fresh(x, generator)
        return x

    def fresh(self, x, generator):
        if generator is None:
            raise mk.RequestError("consistency needs a source of noise; give a seed")
        return generator.like(x)


class StopsShort(Shortcut):
    """The last target is a little above the signal."""

    breaks = "test_every_target_lies_below_its_level_and_the_last_is_0"

    def target(self, x, later):
        return super().target(x, later).clamp(min=1e-3)


class TurnsShort(Shortcut):
    """The last turn leaves a hundredth of the way."""

    breaks = "test_known_data_is_hit_exactly_in_any_number_of_steps"

    def turn(self, now, later):
        cos, sin = super().turn(now, later)
        return cos, sin if later.sigma else 0.99 * sin


class TooLittleNoise(Consistency):
    """Half of the fresh noise that a level has."""

    breaks = "test_samples_have_the_datas_spread_in_any_number_of_steps"

    def fresh(self, x, generator):
        return super().fresh(x, generator) / 2


class Solves(Shortcut):
    """Asks for the velocity at the level, nearly, and steps as far as ever."""

    breaks = "test_without_fresh_noise_it_ends_where_the_flow_does"

    def sample(self, velocity, noise, *, generator=None):
        inner = mk.JumpVelocity.of(velocity)
        near = mk.JumpVelocity(lambda x, sigma, target: inner(x, sigma, 0.99 * sigma))
        return super().sample(near, noise)


class TakesAny(Shortcut):
    """A network that does not jump is asked all the same, without a target."""

    breaks = "test_a_network_that_does_not_jump_is_refused"

    def sample(self, velocity, noise, *, generator=None):
        inner = mk.JumpVelocity.of(velocity)
        if inner.jumps:
            return super().sample(inner, noise)
        return super().sample(mk.JumpVelocity(lambda x, sigma, target: inner(x, sigma)), noise)


class InPlace(Shortcut):
    """The noise itself is changed."""

    breaks = "test_the_noise_is_not_changed_in_place"

    def sample(self, velocity, noise, *, generator=None):
        return noise.copy_(super().sample(velocity, noise))


class BeginsBelow(Shortcut):
    """Begins a little below level 1, with pure noise all the same."""

    breaks = "test_it_begins_with_the_noise_at_level_1"

    def levels(self):
        return super().levels() * 0.97


class OneTargetForAll(Shortcut):
    """A single target in place of one for each clip."""

    breaks = "test_every_target_lies_below_its_level_and_the_last_is_0"

    def target(self, x, later):
        return super().target(x, later)[:1]


class OneNoiseForAll(Consistency):
    """Every clip gets the first one's fresh noise."""

    breaks = "test_items_of_a_batch_do_not_mix"

    def fresh(self, x, generator):
        return super().fresh(x, generator)[:1].expand_as(x)


class GlobalNoise(Consistency):
    """Fresh noise from torch's global generator."""

    breaks = "test_further_noise_comes_from_the_generator_alone"

    def fresh(self, x, generator):
        return torch.randn_like(x)


globals().update(suites(JumpSamplerContract, Shortcut, options={"steps": 4}))
globals().update(suites(JumpSamplerContract, Consistency, options={"steps": 4}))
