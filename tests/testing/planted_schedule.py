"""Schedules with a bug each."""

from math import pi

import torch
from planted_suites import suites

import mousai_kit.api as mk
from mousai_kit.testing import ScheduleContract


class Healthy(mk.Schedule):
    """The cosine's mixtures, without a bug."""

    name = "healthy"

    def weights(self, sigma):
        angle = sigma * (pi / 2)
        return angle.cos(), angle.sin()


class Louder(Healthy):
    """Noise that is weighed a tenth too much."""

    breaks = "test_variance_is_preserved_at_every_level"

    def weights(self, sigma):
        alpha, beta = super().weights(sigma)
        return alpha, beta * 1.1


class Swapped(Healthy):
    """Signal and noise in each other's place."""

    breaks = "test_both_ends_are_exact"

    def weights(self, sigma):
        alpha, beta = super().weights(sigma)
        return beta, alpha


class Short(Healthy):
    """A little signal that is left at level 1."""

    breaks = "test_both_ends_are_exact"

    def weights(self, sigma):
        return super().weights(0.9999 * sigma)


class FlatEnds(Healthy):
    """Weights that stand still near both ends."""

    breaks = "test_weights_are_strictly_monotonic"

    def weights(self, sigma):
        return super().weights((1.04 * sigma - 0.02).clamp(0, 1))


class Double(Healthy):
    """Weights in double precision, whatever the level's."""

    breaks = "test_weights_have_the_shape_type_and_device_of_the_level"

    def weights(self, sigma):
        return super().weights(sigma.double())


class OnTheCPU(Healthy):
    """A tensor made on the CPU, whatever the level's device."""

    breaks = "test_weights_have_the_shape_type_and_device_of_the_level"

    def weights(self, sigma):
        return super().weights(sigma + torch.zeros(sigma.shape, device="cpu"))


class ScaledByTheBatch(Healthy):
    """Levels divided by the highest of the batch."""

    breaks = "test_a_levels_weights_do_not_depend_on_other_levels"

    def weights(self, sigma):
        return super().weights(sigma / sigma.max() if sigma.numel() else sigma)


class InPlace(Healthy):
    """The level multiplied in place."""

    breaks = "test_the_level_is_not_changed_in_place"

    def weights(self, sigma):
        angle = sigma.mul_(pi / 2)
        return angle.cos(), angle.sin()


class Drifting(Healthy):
    """Weights that change with every call."""

    breaks = "test_the_same_level_has_the_same_weights_every_time"

    calls = 0

    def weights(self, sigma):
        self.calls += 1
        return super().weights(sigma ** (1 + 1e-3 * self.calls))


class OneLevelShort(Healthy):
    """One level for each step, none for the end."""

    breaks = "test_there_is_one_level_more_than_steps"

    def levels(self, steps):
        return torch.linspace(1, 0, max(steps, 2))


class NotQuiteZero(Healthy):
    """Levels that end at a thousandth."""

    breaks = "test_levels_run_from_one_to_exactly_zero"

    def levels(self, steps):
        return torch.linspace(1, 1e-3, steps + 1)


class Crowded(Healthy):
    """Levels so dense near 0 that single precision can't tell them apart."""

    breaks = "test_levels_fall_strictly"

    def levels(self, steps):
        return torch.linspace(1, 0, steps + 1) ** 16


class Backwards(Healthy):
    """Levels that rise from the signal to noise."""

    breaks = "test_levels_run_from_one_to_exactly_zero"

    def levels(self, steps):
        return torch.linspace(0, 1, steps + 1)


class Kept(Healthy):
    """Levels that are worked out once and handed to every caller."""

    breaks = "test_levels_are_the_same_every_time"

    def levels(self, steps):
        known = vars(self).setdefault("known", {})
        return known.setdefault(steps, super().levels(steps))


class Halves(Healthy):
    """Levels in half precision."""

    breaks = "test_levels_are_floats_on_the_cpu"

    def levels(self, steps):
        return super().levels(steps).half()


globals().update(suites(ScheduleContract, Healthy))
