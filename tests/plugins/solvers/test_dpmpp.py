"""DPM-Solver++ against its published algorithm, exact transport and its order of convergence."""

from math import exp, log2, sqrt

import pytest
import torch
from known_schedules import COSINE, MIDDLE, SHIFTED

import mousai_kit.api as mk
from mousai_kit.testing.reference_velocities import (
    MEANS,
    carry,
    curved_velocity,
    distance,
    gaussian,
    mixture,
    noise,
    order,
)
from mousai_kit_mousai.samplers import DDIM
from mousai_kit_solvers.dpmpp import DPMSolverPlusPlus2M, DPMSolverPlusPlus2MSDE


def dpmpp(steps, schedule=COSINE):
    return DPMSolverPlusPlus2M(DPMSolverPlusPlus2M.Options(steps=steps), schedule=schedule)


def sde(steps, schedule=COSINE, eta=1.0):
    return DPMSolverPlusPlus2MSDE(
        DPMSolverPlusPlus2MSDE.Options(steps=steps, eta=eta), schedule=schedule
    )


def ddim(steps, schedule=COSINE):
    return DDIM(DDIM.Options(steps=steps), schedule=schedule)


def algorithm_2(velocity, x, schedule, steps):
    """Algorithm 2 of Lu et al. (2022), line by line; M is their number of steps."""
    t = schedule.levels(steps)
    alpha, sigma = schedule.weights(t)
    half_log_snr = (alpha / sigma).log()
    h = half_log_snr.diff()
    seen = []
    for i in range(1, steps + 1):
        v = velocity(x, t[i - 1].expand(len(x)))
        seen.append(alpha[i - 1] * x - sigma[i - 1] * v)
        signal = seen[-1]
        if i > 1:
            r = h[i - 2] / h[i - 1]
            signal = (1 + 1 / (2 * r)) * seen[-1] - 1 / (2 * r) * seen[-2]
        x = sigma[i] / sigma[i - 1] * x - alpha[i] * (exp(-h[i - 1]) - 1) * signal
    return x


def test_away_from_the_ends_it_is_the_published_algorithm():
    start = noise(2, 3, 5)
    torch.testing.assert_close(
        dpmpp(9, MIDDLE).sample(curved_velocity, start),
        algorithm_2(curved_velocity, start, MIDDLE, 9),
    )


@pytest.mark.parametrize("means", [MEANS, MEANS[:1]])
def test_its_error_falls_with_the_second_order(means):
    start = noise(1, 1, 200)
    truth = carry(start, COSINE, means, ends=(0.85, 0.15))
    made = order(lambda steps: dpmpp(steps, MIDDLE), mixture(COSINE, means), start, truth)
    assert made == pytest.approx(2, abs=0.15)


@pytest.mark.parametrize("schedule", [COSINE, SHIFTED])
def test_it_needs_fewer_steps_all_the_way_from_noise(schedule):
    start = noise(1, 1, 200)
    truth = carry(start, schedule)
    first, second = (
        distance(make(20, schedule).sample(mixture(schedule), start), truth)
        for make in (ddim, dpmpp)
    )
    assert second < first / 1.5


@pytest.mark.parametrize("steps", [1, 2])
def test_up_to_two_steps_it_is_ddim(steps):
    """Both ends are of first order: there the log signal-to-noise ratio is infinite."""
    start = noise(2, 1, 6)
    torch.testing.assert_close(
        dpmpp(steps).sample(curved_velocity, start), ddim(steps).sample(curved_velocity, start)
    )


class Recorded(mk.NoiseSource):
    """A source whose draws are kept."""

    def __init__(self, seeds):
        super().__init__(seeds)
        self.drawn = []

    def like(self, x):
        self.drawn.append(super().like(x))
        return self.drawn[-1]


def published_sde(velocity, x, schedule, steps, eta, drawn):
    """SDE-DPM-Solver++(2M) as k-diffusion has it, in its x / alpha and sigma = beta / alpha."""
    t = schedule.levels(steps)
    alpha, beta = schedule.weights(t)
    sigma = beta / alpha
    x = x / alpha[0]
    before = last = None
    for i in range(steps):
        v = velocity(alpha[i] * x, t[i].expand(len(x)))
        denoised = alpha[i] * (alpha[i] * x) - beta[i] * v
        h = (sigma[i] / sigma[i + 1]).log()
        x = sigma[i + 1] / sigma[i] * exp(-eta * h) * x + (1 - exp(-h - eta * h)) * denoised
        if before is not None:
            x = x + (1 - exp(-h - eta * h)) * h / (2 * last) * (denoised - before)
        x = x + drawn[i] * sigma[i + 1] * sqrt(1 - exp(-2 * eta * h))
        before, last = denoised, h
    return alpha[-1] * x


class Unit:
    """A source whose draw number i is 1 for item i + 1 and 0 for all others."""

    def __init__(self):
        self.draws = 0

    def like(self, x):
        self.draws += 1
        made = torch.zeros_like(x)
        made[self.draws] = 1
        return made


def missed(sampler):
    """Return the errors of the mean and of the deviation of Gaussian data, without chance.

    A sample is linear in the start and in every draw. Item 0 of the batch has a start of one
    deviation, item i + 1 has draw i alone, the last has none: variances add up.
    """
    levels = sampler.levels()[[0, -1]]
    alpha, beta = COSINE.weights(levels)
    spread = (alpha**2 * 0.5**2 + beta**2).sqrt()
    start = (alpha[0] * 0.7).expand(sampler.steps + 2, 1, 1).clone()
    start[0] += spread[0]
    made = sampler.sample(gaussian(0.7, 0.5, COSINE), start, generator=Unit()).flatten()
    deviation = (made[:-1] - made[-1]).norm()
    return abs(made[-1] - 0.7 * alpha[1]).item(), abs(deviation - spread[1]).item()


class TestSDE:
    @pytest.mark.parametrize("eta", [0.3, 1.0])
    def test_away_from_the_ends_it_is_the_published_recurrence(self, eta):
        start, source = noise(2, 3, 5), Recorded([1, 2])
        made = sde(9, MIDDLE, eta).sample(curved_velocity, start, generator=source)
        expected = published_sde(curved_velocity, start, MIDDLE, 9, eta, source.drawn)
        torch.testing.assert_close(made, expected)

    def test_without_fresh_noise_it_is_dpmpp_2m_and_needs_no_source(self):
        start = noise(2, 3, 5)
        torch.testing.assert_close(
            sde(7, eta=0.0).sample(curved_velocity, start), dpmpp(7).sample(curved_velocity, start)
        )

    @pytest.mark.parametrize("eta", [0.3, 1.0])
    def test_the_mean_is_exact_and_the_deviation_converges_with_the_second_order(self, eta):
        """Weak convergence: the draws differ from path to path, their distribution must not."""
        (mean, coarse), (_, fine) = (missed(sde(steps, MIDDLE, eta)) for steps in (160, 320))
        assert mean < 1e-12
        assert log2(coarse / fine) == pytest.approx(2, abs=0.1)

    def test_ddim_with_fresh_noise_converges_with_the_first(self):
        coarse, fine = (
            missed(DDIM(DDIM.Options(steps=steps, eta=1.0), schedule=MIDDLE))[1]
            for steps in (80, 160)
        )
        assert log2(coarse / fine) == pytest.approx(1, abs=0.2)

    def test_without_a_source_it_says_what_is_needed(self):
        with pytest.raises(mk.RequestError) as raised:
            sde(3).sample(curved_velocity, noise(1, 1, 4))
        assert str(raised.value) == (
            "dpmpp-2m-sde with eta above 0 needs a source of noise; give a seed"
        )

    def test_another_seed_gives_another_sample(self):
        start = noise(1, 1, 4)
        one, other = (
            sde(5).sample(curved_velocity, start, generator=mk.NoiseSource([seed]))
            for seed in (1, 2)
        )
        assert distance(one, other) > 0.01
