"""DDIM against the published recurrence and the published fresh noise."""

from itertools import pairwise

import pytest
import torch
from known_schedules import COSINE, MIDDLE, SCHEDULES

import mousai_kit.api as mk
from mousai_kit.testing.reference_velocities import (
    carry,
    curved_velocity,
    gaussian,
    mixture,
    noise,
    order,
    point,
)
from mousai_kit_mousai.samplers import DDIM


def ddim(steps, schedule=COSINE, eta=0.0):
    return DDIM(DDIM.Options(steps=steps, eta=eta), schedule=schedule)


def authors_sample(velocity, x, schedule, steps):
    """The v-sampler that the authors published, line by line."""
    sigmas = torch.linspace(1, 0, steps + 1).to(x)
    for now, later in pairwise(sigmas):
        a, s = schedule.weights(now)
        a_later, s_later = schedule.weights(later)
        v = velocity(x, now.expand(len(x)))
        x_pred = a * x - s * v
        n_pred = s * x + a * v
        x = a_later * x_pred + s_later * n_pred
    return x


class TestDDIM:
    @pytest.mark.parametrize("schedule", SCHEDULES)
    @pytest.mark.parametrize("steps", [1, 2, 3, 10])
    def test_without_fresh_noise_it_is_the_authors_sampler(self, schedule, steps):
        start = noise(2, 3, 5)
        torch.testing.assert_close(
            ddim(steps, schedule).sample(curved_velocity, start),
            authors_sample(curved_velocity, start, schedule, steps),
        )

    @pytest.mark.parametrize("schedule", SCHEDULES)
    @pytest.mark.parametrize("mean", [0.0, 0.7])
    def test_fresh_noise_keeps_the_variance_of_gaussian_data(self, schedule, mean):
        deviation = 0.5
        made = ddim(800, schedule, eta=1.0).sample(
            gaussian(mean, deviation, schedule),
            noise(1, 1, 10_000),
            generator=mk.NoiseSource([7]),
        )
        assert made.std().item() == pytest.approx(deviation, rel=0.03)
        assert made.mean().item() == pytest.approx(mean, abs=0.02)

    @pytest.mark.parametrize("eta", [0.4, 1.0])
    @pytest.mark.parametrize("schedule", SCHEDULES)
    def test_fresh_noise_is_as_much_as_published(self, schedule, eta):
        """Song et al., equation 16; where the data is 0, what is no fresh noise scales x."""
        (alpha, beta), (alpha_later, beta_later) = map(schedule.weights, schedule.levels(4)[1:3])
        fresh = eta * beta_later / beta * (1 - (alpha / alpha_later) ** 2).sqrt()
        kept = (beta_later**2 - fresh**2).sqrt()
        seen = []

        def velocity(x, sigma):
            seen.append(x)
            return point(torch.zeros(1, dtype=x.dtype), schedule)(x, sigma)

        ddim(4, schedule, eta).sample(velocity, noise(1, 1, 50_000), generator=mk.NoiseSource([3]))
        residue = seen[2] - kept / beta * seen[1]
        assert residue.std().item() == pytest.approx(fresh.item(), rel=0.02)
        assert (residue * seen[1]).mean().abs() < 0.02 * fresh

    def test_fresh_noise_is_the_same_for_a_seed_wherever_it_stands_in_a_batch(self):
        def made(*seeds):
            source = mk.NoiseSource(seeds)
            return ddim(4, eta=1.0).sample(curved_velocity, source.normal(2, 6), generator=source)

        assert torch.equal(made(5, 6), made(5, 6))
        assert torch.equal(made(5, 6).flip(0), made(6, 5))
        assert torch.equal(made(5, 6)[1:], made(6))
        assert not torch.equal(made(5), made(6))

    def test_without_fresh_noise_a_source_changes_nothing(self):
        start, source = noise(2, 1, 4), mk.NoiseSource([0, 1])
        made = ddim(3).sample(curved_velocity, start, generator=source)
        assert torch.equal(made, ddim(3).sample(curved_velocity, start))
        assert torch.equal(source.uniform(), mk.NoiseSource([0, 1]).uniform())


def test_its_error_falls_with_the_first_order():
    start = noise(1, 1, 200)
    truth = carry(start, COSINE, ends=(0.85, 0.15))
    made = order(lambda steps: ddim(steps, MIDDLE), mixture(COSINE), start, truth)
    assert made == pytest.approx(1, abs=0.1)
