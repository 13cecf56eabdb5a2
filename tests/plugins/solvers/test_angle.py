"""Angle-2M against its equations, exact transport and its order of convergence."""

from math import pi

import pytest
import torch
from known_schedules import COSINE, SHIFTED

from mousai_kit.testing.reference_velocities import (
    MEANS,
    carry,
    curved_velocity,
    distance,
    mixture,
    noise,
    order,
)
from mousai_kit_mousai.samplers import DDIM
from mousai_kit_solvers.angle import Angle2M


def angle(steps, schedule=COSINE):
    return Angle2M(Angle2M.Options(steps=steps), schedule=schedule)


def ddim(steps, schedule=COSINE):
    return DDIM(DDIM.Options(steps=steps), schedule=schedule)


@pytest.mark.parametrize("schedule", [COSINE, SHIFTED])
@pytest.mark.parametrize("means", [MEANS, MEANS[:1]])
def test_its_error_falls_with_the_second_order_all_the_way_from_noise(schedule, means):
    start = noise(1, 1, 200)
    truth = carry(start, schedule, means)
    velocity = mixture(schedule, means)
    made = order(lambda steps: angle(steps, schedule), velocity, start, truth, steps=(160, 320))
    assert made == pytest.approx(2, abs=0.15)


@pytest.mark.parametrize("middle", [0.5, 0.25, 0.8])
def test_its_second_step_bends_as_the_first_one_bent_however_long_each_is(middle):
    class Two(type(COSINE)):
        def levels(self, steps):
            return torch.tensor([1, middle, 0], dtype=torch.float64)

    start, (first, second) = noise(2, 3, 5), torch.tensor([1, middle], dtype=torch.float64)
    g, h = (second - first) * pi / 2, -second * pi / 2
    v = curved_velocity(start, first.expand(2))
    x = g.cos() * start + g.sin() * v
    v_there = curved_velocity(x, second.expand(2))
    n = (v_there - g.cos() * v + g.sin() * start) / g.sin()
    expected = h.cos() * x + h.sin() * v_there + (1 - h.cos()) * n
    made = angle(2, Two(Two.Options())).sample(curved_velocity, start)
    torch.testing.assert_close(made, expected)


def test_one_step_is_ddim_and_two_are_not():
    start = noise(2, 1, 6)
    torch.testing.assert_close(
        angle(1).sample(curved_velocity, start), ddim(1).sample(curved_velocity, start)
    )
    assert (
        distance(angle(2).sample(curved_velocity, start), ddim(2).sample(curved_velocity, start))
        > 0.01
    )
