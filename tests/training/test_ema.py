"""The average of the weights: its law, and its exchange with the live weights."""

import pytest
import torch
from torch import nn

from mousai_kit.training.ema import EMA


def network():
    module = nn.Linear(3, 2)
    with torch.no_grad():
        module.weight.fill_(1.0)
        module.bias.fill_(10.0)
    return module


def values(weights):
    return {name: weight.flatten()[0].item() for name, weight in weights.items()}


def test_it_starts_as_a_copy_of_its_own():
    module = network()
    ema = EMA(module, decay=0.9, power=0.7)
    with torch.no_grad():
        module.weight.fill_(5.0)
    assert values(ema.weights) == {"weight": 1.0, "bias": 10.0}


@pytest.mark.parametrize(
    ("step", "decay"), [(1, 1 - 2**-0.7), (2, 1 - 3**-0.7), (9, 1 - 10**-0.7), (10_000, 0.995)]
)
def test_it_follows_by_the_power_law_up_to_the_largest_decay(step, decay):
    module = network()
    ema = EMA(module, decay=0.995, power=0.7)
    with torch.no_grad():
        module.weight.fill_(3.0)
    ema.update(step)
    assert values(ema.weights) == pytest.approx({"weight": 3 - 2 * decay, "bias": 10.0}, rel=1e-5)


def test_it_moves_at_the_first_steps_and_then_once_in_so_many():
    module = network()
    ema = EMA(module, decay=0.0, power=0.7, every=3)
    moved = []
    for step in range(1, 13):
        with torch.no_grad():
            module.weight.fill_(float(step))
        ema.update(step)
        moved += [step] if torch.equal(ema.weights["weight"], module.weight) else []
    assert moved == [1, 2, 3, 6, 9, 12]


def test_no_decay_is_the_live_weights():
    module = network()
    ema = EMA(module, decay=0.0, power=0.7)
    with torch.no_grad():
        module.weight.fill_(3.0)
    ema.update(100)
    assert torch.equal(ema.weights["weight"], module.weight)


def test_swapping_exchanges_and_swapping_again_undoes_it():
    module = network()
    ema = EMA(module, decay=0.9, power=0.7)
    with torch.no_grad():
        module.weight.fill_(3.0)
    ema.swap()
    assert values(dict(module.named_parameters())) == {"weight": 1.0, "bias": 10.0}
    assert values(ema.weights) == {"weight": 3.0, "bias": 10.0}
    ema.swap()
    assert values(dict(module.named_parameters())) == {"weight": 3.0, "bias": 10.0}
    assert values(ema.weights) == {"weight": 1.0, "bias": 10.0}


def test_what_is_frozen_is_not_kept():
    module = network()
    module.bias.requires_grad_(False)
    assert list(EMA(module, decay=0.9, power=0.7).weights) == ["weight"]


def test_saved_averages_are_taken_over_by_value():
    ema = EMA(network(), decay=0.9, power=0.7)
    saved = {"weight": torch.full((2, 3), 7.0), "bias": torch.full((2,), 8.0)}
    ema.load(saved)
    saved["weight"].zero_()
    assert values(ema.weights) == {"weight": 7.0, "bias": 8.0}


def test_training_goes_on_undisturbed():
    module = network()
    ema = EMA(module, decay=0.9, power=0.7)
    module(torch.ones(1, 3)).sum().backward()
    ema.update(1)
    ema.swap()
    ema.swap()
    assert all(not weight.requires_grad for weight in ema.weights.values())
    assert torch.equal(module.bias.grad, torch.ones(2))
