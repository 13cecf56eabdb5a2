"""DPM-Solver++ against its published algorithm, exact transport and its order of convergence."""

from math import exp

import pytest
import torch
from exact import COSINE, MEANS, MIDDLE, SHIFTED, carried, curved, distance, mixture, noise, order
from sampler_contract import SamplerContract

from mousai_kit_mousai.samplers import DDIM
from mousai_kit_solvers.dpmpp import DPMSolverPlusPlus2M


def dpmpp(steps, schedule=COSINE):
    return DPMSolverPlusPlus2M(DPMSolverPlusPlus2M.Options(steps=steps), schedule=schedule)


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


class TestContract(SamplerContract):
    component = DPMSolverPlusPlus2M


def test_away_from_the_ends_it_is_the_published_algorithm():
    start = noise(2, 3, 5)
    torch.testing.assert_close(
        dpmpp(9, MIDDLE).sample(curved, start), algorithm_2(curved, start, MIDDLE, 9)
    )


@pytest.mark.parametrize("means", [MEANS, MEANS[:1]])
def test_its_error_falls_with_the_second_order(means):
    start = noise(1, 1, 200)
    truth = carried(start, COSINE, means, ends=(0.85, 0.15))
    made = order(lambda steps: dpmpp(steps, MIDDLE), mixture(COSINE, means), start, truth)
    assert made == pytest.approx(2, abs=0.15)


@pytest.mark.parametrize("schedule", [COSINE, SHIFTED])
def test_it_needs_fewer_steps_all_the_way_from_noise(schedule):
    start = noise(1, 1, 200)
    truth = carried(start, schedule)
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
        dpmpp(steps).sample(curved, start), ddim(steps).sample(curved, start)
    )
