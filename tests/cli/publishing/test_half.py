"""Half precision: large parameters, where float16 holds them; all else stays to the bit."""

import pytest
import torch
from torch import nn

from mousai_kit.cli.publishing.half_precision import to_half


class Stage(nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.randn(4))
        self.register_buffer("mean", torch.randn(4, 1) / 3)


def of(weight):
    stage = Stage(weight)
    return stage, *to_half(stage, stage.state_dict())


def test_large_parameters_are_halved_and_the_rest_stays():
    stage, tensors, kept = of(torch.randn(4, 5) * torch.logspace(-6, 2, 5))
    assert kept == []
    assert {name: it.dtype for name, it in tensors.items()} == {
        "weight": torch.float16,
        "bias": torch.float32,
        "mean": torch.float32,
    }
    assert torch.equal(tensors["mean"], stage.mean)
    lost = (tensors["weight"].float() - stage.weight).abs().max()
    assert lost <= 2**-11 * stage.weight.abs().max()


@pytest.mark.parametrize(
    "weight",
    [
        torch.tensor([[1.0, 70_000.0]]),
        torch.tensor([[1e-6, 2e-6]]),
        torch.tensor([[1.0, float("inf")]]),
        torch.tensor([[1.0, float("nan")]]),
        torch.ones(2, 2, dtype=torch.int64),
    ],
    ids=["too large", "too small", "infinite", "no number", "whole numbers"],
)
def test_what_float16_can_not_hold_stays_and_is_named(weight):
    stage = nn.Module()
    stage.weight = nn.Parameter(weight, requires_grad=weight.is_floating_point())
    tensors, kept = to_half(stage, stage.state_dict())
    assert kept == ["weight"]
    assert tensors["weight"].dtype == weight.dtype


def test_zeros_are_held():
    assert of(torch.zeros(2, 2))[2] == []
