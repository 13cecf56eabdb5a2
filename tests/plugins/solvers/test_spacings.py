"""Spacings: levels as published, between exact ends, over the cosine's mixtures."""

import math
from math import pi

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from known_schedules import COSINE

from mousai_kit_solvers.spacings import CosineSpaced, Karras, UniformLogSNR

SPACINGS = [CosineSpaced, Karras, UniformLogSNR]


def spacing(component, **options):
    return component(component.Options(**options))


def extreme():
    return st.one_of(
        st.just(spacing(CosineSpaced)),
        st.builds(
            lambda rho, high, low: spacing(Karras, rho=rho, highest=high, lowest=low),
            st.floats(1, 100),
            st.floats(1.01, 1e6),
            st.floats(1e-6, 0.99),
        ),
        st.builds(
            lambda low, high: spacing(UniformLogSNR, lowest=low, highest=high),
            st.floats(-14, -0.01),
            st.floats(0.01, 14),
        ),
    )


@given(extreme(), st.integers(1, 2000))
def test_levels_fall_strictly_from_one_to_exactly_zero(schedule, steps):
    levels = schedule.levels(steps)
    assert (levels.shape, levels.dtype) == ((steps + 1,), torch.float64)
    assert (levels[0], levels[-1]) == (1, 0)
    assert (levels.diff() < 0).all()


@pytest.mark.parametrize("component", SPACINGS)
def test_mixtures_are_the_cosines(component):
    sigma = torch.linspace(0, 1, 11, dtype=torch.float64)
    assert all(map(torch.equal, spacing(component).weights(sigma), COSINE.weights(sigma)))


def test_cosine_spaced_levels_are_the_heights_of_even_angles():
    root = math.sqrt(0.5)
    expected = torch.tensor([1, (1 + root) / 2, 0.5, (1 - root) / 2, 0], dtype=torch.float64)
    torch.testing.assert_close(spacing(CosineSpaced).levels(4), expected)


def test_karras_levels_are_equation_5s():
    """Karras et al. (2022), equation 5, for 18 steps: the first is pure noise in place of 80."""
    sigmas = (spacing(Karras).levels(18) * pi / 2).tan()
    table = [57.58600, 40.78557, 28.37453, 19.35233, 12.91019]  # i = 1 to 5
    expected = [
        (80 ** (1 / 7) + i / 17 * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7 for i in range(18)
    ]
    torch.testing.assert_close(sigmas[1:-1], torch.tensor(expected[1:], dtype=torch.float64))
    assert sigmas[1:6].tolist() == pytest.approx(table, rel=1e-3)
    assert sigmas[17].item() == pytest.approx(0.002)


def test_karras_options_set_the_range_and_the_density():
    levels = spacing(Karras, rho=1.0, highest=3.0, lowest=0.5).levels(6)
    torch.testing.assert_close(
        (levels[1:-1] * pi / 2).tan(), torch.tensor([2.5, 2, 1.5, 1, 0.5], dtype=torch.float64)
    )


def test_uniform_levels_are_even_in_the_log_of_the_weights_ratio():
    schedule = spacing(UniformLogSNR, lowest=-3.0, highest=5.0)
    alpha, beta = schedule.weights(schedule.levels(9)[1:-1])
    torch.testing.assert_close((alpha / beta).log(), torch.arange(-2.0, 6.0, dtype=torch.float64))


@pytest.mark.parametrize("component", SPACINGS)
def test_one_step_goes_all_the_way(component):
    assert spacing(component).levels(1).tolist() == [1, 0]
