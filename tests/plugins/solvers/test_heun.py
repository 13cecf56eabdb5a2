"""Heun's method against its equations, exact transport and its order of convergence."""

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
from mousai_kit_solvers.heun import Heun


def heun(steps, schedule=COSINE):
    return Heun(Heun.Options(steps=steps), schedule=schedule)


@pytest.mark.parametrize("schedule", [COSINE, SHIFTED])
@pytest.mark.parametrize("means", [MEANS, MEANS[:1]])
def test_its_error_falls_with_the_second_order_all_the_way_from_noise(schedule, means):
    start = noise(1, 1, 200)
    truth = carry(start, schedule, means)
    velocity = mixture(schedule, means)
    made = order(lambda steps: heun(steps, schedule), velocity, start, truth, steps=(161, 321))
    assert made == pytest.approx(2, abs=0.15)


def test_a_step_is_the_trapezoidal_rule_on_the_circle():
    start, (first, second) = noise(2, 3, 5), torch.tensor([1.0, 0.5]).double()
    h = torch.tensor(-pi / 4, dtype=torch.float64)
    v = curved_velocity(start, first.expand(2))
    x = start + (h / 2).tan() * (
        v + curved_velocity(h.cos() * start + h.sin() * v, second.expand(2))
    )
    expected = h.cos() * x + h.sin() * curved_velocity(
        x, second.expand(2)
    )  # the last: no correction
    torch.testing.assert_close(heun(3).sample(curved_velocity, start), expected)


def test_short_steps_are_those_of_algorithm_1():
    """With s(t) = cos t and sigma(t) = tan t the paper's d is v; steps of Euler and trapezium."""
    start, steps = noise(2, 3, 5), 400

    def algorithm_1(x):
        t = torch.linspace(1, 0, steps + 1, dtype=torch.float64)
        for i in range(steps):
            stride = (t[i + 1] - t[i]) * pi / 2
            d = curved_velocity(x, t[i].expand(2))
            there = x + stride * d
            if t[i + 1] > 0:
                there = x + stride * (d + curved_velocity(there, t[i + 1].expand(2))) / 2
            x = there
        return x

    away = distance(heun(2 * steps - 1).sample(curved_velocity, start), algorithm_1(start))
    assert away < 2e-3
    assert (
        distance(
            DDIM(DDIM.Options(steps=steps), schedule=COSINE).sample(curved_velocity, start),
            algorithm_1(start),
        )
        > 2 * away
    )


@pytest.mark.parametrize("steps", [1, 2, 3, 8, 9])
def test_each_level_between_the_ends_is_asked_twice(steps):
    """From above, and from where it leads."""
    asked = []

    def velocity(x, sigma):
        asked.append(sigma[0].item())
        return curved_velocity(x, sigma)

    heun(steps).sample(velocity, noise(2, 3, 5))
    first, *inner, _ = heun(steps).levels().tolist()
    assert asked == [first, *(level for level in inner for _ in range(2))]


def test_an_even_number_of_evaluations_leaves_one_unused():
    start = noise(1, 1, 4)
    assert (heun(7).steps, heun(8).steps) == (7, 7)
    assert torch.equal(
        heun(7).sample(curved_velocity, start), heun(8).sample(curved_velocity, start)
    )
