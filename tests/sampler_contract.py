"""What every sampler must do: a suite that a sampler's test class inherits."""

from types import MappingProxyType

import pytest
import torch
from exact import COSINE, DEVIATION, MEANS, SCHEDULES, curved, gaussian, mixture, noise, point

import mousai_kit.api as mk
from mousai_kit.component import Use
from mousai_kit_mousai.schedules import Cosine


class Squared(Cosine):
    """The cosine's mixtures at other levels: those of the square."""

    name = "squared"

    def levels(self, steps):
        return torch.linspace(1, 0, steps + 1, dtype=torch.float64) ** 2


class SamplerContract:
    """Set `component`, and `options` beside `steps`."""

    component = None
    options = MappingProxyType({})

    def make(self, steps, schedule=COSINE, **more):
        """Return the sampler."""
        options = self.component.Options(steps=steps, **{**self.options, **more})
        return self.component(options, schedule=schedule)

    def sample(self, sampler, velocity, start):
        """Return a sample, any further noise from the clips' places."""
        return sampler.sample(velocity, start, generator=mk.NoiseSource(range(len(start))))

    def asked(self, sampler, start):
        """Return the shape and the levels of every evaluation."""
        seen = []

        def velocity(x, sigma):
            seen.append((tuple(x.shape), sigma.tolist()))
            return x

        self.sample(sampler, velocity, start)
        return seen

    def expected_levels(self, levels):
        """Return the levels of every evaluation for the levels that are told."""
        return levels[:-1]

    @pytest.mark.parametrize("schedule", SCHEDULES)
    @pytest.mark.parametrize("steps", [1, 2, 3, 8])
    def test_a_point_is_hit_exactly(self, steps, schedule):
        data = noise(1, 3, 5)
        made = self.sample(self.make(steps, schedule), point(data, schedule), noise(2, 3, 5))
        torch.testing.assert_close(made, data.expand(2, 3, 5))

    @pytest.mark.parametrize("schedule", SCHEDULES)
    def test_noise_becomes_gaussian_data_of_the_right_mean_and_deviation(self, schedule):
        start = noise(1, 1, 3000)
        made = self.sample(self.make(300, schedule), gaussian(0.7, 0.5, schedule), start)
        assert made.mean().item() == pytest.approx(0.7, abs=0.03)
        assert made.std().item() == pytest.approx(0.5, rel=0.04)

    @pytest.mark.parametrize("schedule", SCHEDULES)
    def test_noise_becomes_a_mixture_of_the_right_shares(self, schedule):
        start = noise(1, 1, 3000)
        made = self.sample(self.make(100, schedule), mixture(schedule), start).flatten()
        away, nearest = (made[:, None] - MEANS).abs().min(1)
        shares = torch.bincount(nearest) / len(made)
        torch.testing.assert_close(shares, torch.full((3,), 1 / 3), atol=0.05, rtol=0)
        assert away.square().mean().sqrt().item() == pytest.approx(DEVIATION, rel=0.15)

    @pytest.mark.parametrize("shape", [(1, 1, 1), (3, 2, 17), (2, 1, 4)])
    def test_any_shape_and_type_is_kept(self, shape):
        for dtype in (torch.float32, torch.float64):
            made = self.sample(self.make(4), curved, noise(*shape, dtype=dtype))
            assert (made.shape, made.dtype) == (shape, dtype)

    def test_items_of_a_batch_do_not_mix(self):
        sampler, start = self.make(5), noise(3, 2, 4)
        together = sampler.sample(curved, start, generator=mk.NoiseSource([7, 8, 9]))
        alone = [
            sampler.sample(curved, it, generator=mk.NoiseSource([seed]))
            for seed, it in zip((7, 8, 9), start.split(1), strict=True)
        ]
        torch.testing.assert_close(together, torch.cat(alone))

    def test_the_same_seed_gives_the_same_sample(self):
        start = noise(2, 1, 6)
        once, again = (self.sample(self.make(5), curved, start) for _ in range(2))
        assert torch.equal(once, again)

    def test_a_single_step_returns_the_negated_velocity(self):
        start = noise(2, 3, 5)
        torch.testing.assert_close(
            self.sample(self.make(1), curved, start),
            -curved(start, torch.ones(2, dtype=torch.float64)),
        )

    @pytest.mark.parametrize("more", [{}, {"levels": Use(Squared, Squared.Options())}])
    @pytest.mark.parametrize("steps", [1, 2, 3, 4, 9])
    def test_the_network_is_asked_at_the_levels_that_are_told_and_as_often(self, steps, more):
        sampler = self.make(steps, **more)
        levels = sampler.levels().tolist()
        seen = self.asked(sampler, noise(2, 3, 5))
        assert seen == [((2, 3, 5), [level] * 2) for level in self.expected_levels(levels)]
        assert len(seen) == sampler.steps
        assert (levels[0], levels[-1]) == (1, 0)
        assert levels == sorted(set(levels), reverse=True)

    def test_another_schedules_levels_leave_the_mixture_as_it_is(self):
        """Only so does a point stay hit where the stage's schedule is no cosine."""
        data, schedule = noise(1, 3, 5), SCHEDULES[1]
        sampler = self.make(6, schedule, levels=Use(Squared, Squared.Options()))
        count = len(sampler.levels()) - 1
        assert sampler.levels().tolist() == Squared(Squared.Options()).levels(count).tolist()
        made = self.sample(sampler, point(data, schedule), noise(2, 3, 5))
        torch.testing.assert_close(made, data.expand(2, 3, 5))

    @pytest.mark.parametrize("steps", [1, 2, 3, 4, 7, 50, 100, 1000])
    @pytest.mark.parametrize("schedule", SCHEDULES)
    def test_single_precision_stays_finite_for_any_steps(self, steps, schedule):
        start = noise(1, 1, 4, dtype=torch.float32)
        made = self.sample(self.make(steps, schedule), gaussian(0.0, 1.0, schedule), start)
        assert made.isfinite().all()
