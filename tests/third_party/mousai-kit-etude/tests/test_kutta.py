"""kutta-3: of third order, with Ralston's and Heun's weights where their nodes are."""

from __future__ import annotations

from math import log, pi

import mousai_kit.api as mk
import pytest
import torch
from mousai_kit.testing import SteppedSamplerContract
from torch import Tensor

from mousai_kit_etude.kutta import Kutta, Weights


class Quarter(mk.Schedule):
    """The quarter circle at even angles."""

    name = "quarter"

    def weights(self, sigma: Tensor) -> tuple[Tensor, Tensor]:
        angle = sigma * (pi / 2)
        return angle.cos(), angle.sin()


class Steep(Quarter):
    """Levels of a power: strides are uneven, and some badly so."""

    name = "steep"

    def levels(self, steps: int) -> Tensor:
        return torch.linspace(1, 0, steps + 1, dtype=torch.float64) ** 6


class TestKutta(SteppedSamplerContract):
    component = Kutta
    options = {"steps": 7}


def sampled(steps: int, velocity: mk.Velocity, x: Tensor, schedule: type[mk.Schedule]) -> Tensor:
    built = schedule(schedule.Options())
    return Kutta(Kutta.Options(steps=steps), schedule=built).sample(velocity, x)


def gaussian(deviation: float) -> mk.Velocity:
    """v for data of zero mean and one deviation: noise n becomes deviation * n exactly."""

    def velocity(x: Tensor, sigma: Tensor) -> Tensor:
        alpha, beta = Quarter(mk.Options()).weights(sigma[:, None, None])
        total = (alpha * deviation) ** 2 + beta**2
        return alpha * beta * (1 - deviation**2) / total * x

    return velocity


def test_the_weights_are_ralstons_at_one_half_and_three_quarters() -> None:
    expected = [[], [1 / 2], [0, 3 / 4], [2 / 9, 1 / 3, 4 / 9]]
    assert Weights.of([0, 1 / 2, 3 / 4]).stages == [pytest.approx(row) for row in expected]


def test_the_weights_are_heuns_at_one_third_and_two_thirds() -> None:
    stages = Weights.of([0, 1 / 3, 0.6666]).stages
    assert stages[2:] == [
        pytest.approx([0, 2 / 3], abs=1e-3),
        pytest.approx([1 / 4, 0, 3 / 4], abs=1e-3),
    ]


def test_halving_the_strides_divides_the_error_by_eight() -> None:
    def velocity(x: Tensor, sigma: Tensor) -> Tensor:
        return (2 * x).sin() + sigma[:, None, None]

    x = torch.linspace(-2, 2, 9, dtype=torch.float64).reshape(1, 1, 9)
    exact = sampled(1200, velocity, x, Quarter)
    errors = [(sampled(it, velocity, x, Quarter) - exact).abs().max().item() for it in (48, 96)]
    assert log(errors[0] / errors[1], 2) == pytest.approx(3, abs=0.2)


def test_many_steps_bring_noise_to_the_datas_deviation() -> None:
    x = torch.linspace(-2, 2, 9, dtype=torch.float64).reshape(1, 1, 9)
    torch.testing.assert_close(sampled(96, gaussian(0.6), x, Quarter), 0.6 * x, rtol=0, atol=1e-4)


def test_a_stride_with_a_node_at_two_thirds_is_made_in_single_turns() -> None:
    class Uneven(Quarter):
        def levels(self, steps: int) -> Tensor:
            return torch.tensor([1, 0.2952, 0.1, 0], dtype=torch.float64)

    sampler = Kutta(Kutta.Options(steps=3), schedule=Uneven(mk.Options()))
    assert len(list(sampler._strides(torch.zeros(1, 1, 1)))) == 3


@pytest.mark.parametrize("schedule", [Quarter, Steep])
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 8, 30])
def test_a_signal_that_is_always_the_same_is_hit_exactly(
    steps: int, schedule: type[mk.Schedule]
) -> None:
    data = torch.linspace(-1, 1, 6, dtype=torch.float64).reshape(1, 2, 3)

    def velocity(x: Tensor, sigma: Tensor) -> Tensor:
        alpha, beta = Quarter(mk.Options()).weights(sigma[:, None, None])
        return (alpha * x - data) / beta

    made = sampled(steps, velocity, torch.randn(2, 2, 3, dtype=torch.float64), schedule)
    torch.testing.assert_close(made, data.expand(2, 2, 3))


def test_uneven_strides_do_not_shake() -> None:
    x = torch.ones(1, 1, 4, dtype=torch.float64)
    made = sampled(30, gaussian(0.6), x, Steep)
    torch.testing.assert_close(made, 0.6 * x, rtol=0, atol=0.05)
