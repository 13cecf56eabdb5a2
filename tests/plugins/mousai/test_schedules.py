"""Schedules: variance preserved, and levels that fall from noise to signal."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mousai_kit_mousai.schedules import Cosine, ShiftedCosine

SHIFTS = st.floats(0.01, 100)
SIGMA = torch.linspace(0, 1, 101, dtype=torch.float64)


def shifted(shift):
    return ShiftedCosine(ShiftedCosine.Options(shift=shift))


def schedules():
    return st.one_of(st.just(Cosine(Cosine.Options())), SHIFTS.map(shifted))


@given(schedules())
def test_variance_is_preserved_at_every_level(schedule):
    alpha, beta = schedule.weights(SIGMA)
    torch.testing.assert_close(alpha.square() + beta.square(), torch.ones_like(SIGMA))


@given(schedules())
def test_weights_run_from_signal_alone_to_noise_alone(schedule):
    alpha, beta = schedule.weights(SIGMA)
    torch.testing.assert_close((alpha[0], beta[0]), (SIGMA[-1], SIGMA[0]))
    torch.testing.assert_close((alpha[-1], beta[-1]), (SIGMA[0], SIGMA[-1]), atol=1e-7, rtol=0)
    assert (alpha.diff() < 0).all()
    assert (beta.diff() > 0).all()


@given(schedules(), st.integers(1, 2000))
def test_levels_fall_strictly_from_one_to_exactly_zero(schedule, steps):
    levels = schedule.levels(steps)
    assert levels.shape == (steps + 1,)
    assert (levels[0], levels[-1]) == (1, 0)
    assert (levels.diff() < 0).all()


def test_cosine_is_the_papers_quarter_circle():
    alpha, beta = Cosine(Cosine.Options()).weights(torch.tensor([0, 1 / 3, 0.5, 2 / 3]))
    torch.testing.assert_close(alpha, torch.tensor([1, 3**0.5 / 2, 0.5**0.5, 0.5]))
    torch.testing.assert_close(beta, torch.tensor([0, 0.5, 0.5**0.5, 3**0.5 / 2]))


def test_a_shift_of_one_is_the_plain_cosine():
    torch.testing.assert_close(
        shifted(1.0).weights(SIGMA), Cosine(Cosine.Options()).weights(SIGMA), atol=1e-15, rtol=0
    )


@given(SHIFTS)
def test_a_shift_divides_the_ratio_of_signal_to_noise(shift):
    inner = SIGMA[1:-1]
    (alpha, beta), (plain_alpha, plain_beta) = (
        shifted(shift).weights(inner),
        shifted(1).weights(inner),
    )
    torch.testing.assert_close(alpha / beta * shift, plain_alpha / plain_beta)


def test_more_shift_is_more_noise_at_every_level():
    noise = torch.stack([shifted(shift).weights(SIGMA[1:-1])[1] for shift in (0.5, 1, 2, 4)])
    assert (noise.diff(dim=0) > 0).all()


@pytest.mark.parametrize("sigma", [torch.tensor(0.3), torch.rand(4), torch.rand(2, 3, 1)])
@pytest.mark.parametrize("schedule", [Cosine(Cosine.Options()), shifted(2)])
def test_weights_have_the_levels_shape(schedule, sigma):
    alpha, beta = schedule.weights(sigma)
    assert (alpha.shape, beta.shape) == (sigma.shape, sigma.shape)


@pytest.mark.parametrize("shift", [0.0, -1.0, 101.0, float("nan")])
def test_a_shift_out_of_range_is_refused(shift):
    with pytest.raises(ValidationError):
        ShiftedCosine.Options(shift=shift)
