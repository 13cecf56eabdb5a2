"""Weights that are loaded: not drawn first, unless nothing would bring them."""

import nano
import pytest
import torch
from torch import nn

from mousai_kit.models.cascade import Cascade
from mousai_kit.models.weight_init import build_to_load


class Projected(nn.Module):
    """A layer that is saved, before one that is not."""

    def __init__(self):
        super().__init__()
        self.saved = nn.Linear(3, 3)
        self.fixed = nn.Linear(3, 3)
        self.fixed._register_state_dict_hook(_without)


def _without(module, state, prefix, _):
    for name in ("weight", "bias"):
        del state[f"{prefix}{name}"]


@pytest.fixture
def drawn(monkeypatch):
    """Return what was drawn, by shape."""
    found, real = [], torch.Tensor.uniform_

    def noted(weight, *bounds, **given):
        found.append(tuple(weight.shape))
        return real(weight, *bounds, **given)

    monkeypatch.setattr(torch.Tensor, "uniform_", noted)
    return found


def test_weights_that_a_state_dict_brings_are_not_drawn(drawn):
    layer = build_to_load(lambda: nn.Linear(3, 5))
    assert drawn == []
    other = nn.Linear(3, 5)
    assert drawn == [(5, 3), (5,)]
    layer.load_state_dict(other.state_dict())
    x = torch.randn(2, 3)
    assert torch.equal(layer(x), other(x))


def test_weights_in_no_state_dict_are_drawn_as_ever():
    def build():
        torch.manual_seed(0)
        return Projected()

    assert torch.equal(build_to_load(build).fixed.weight, build().fixed.weight)


def test_norms_and_other_constants_are_set(drawn):
    norm = build_to_load(lambda: nn.LayerNorm(4))
    assert torch.equal(norm.weight, torch.ones(4))
    assert torch.equal(norm.bias, torch.zeros(4))
    assert drawn == []


def test_a_cascade_that_is_built_to_load_is_the_same_once_it_is_loaded(here):
    recipe = nano.recipe()
    fresh, loaded = Cascade.build(recipe), Cascade.build(recipe, to_load=True)
    for name, stage in fresh.stages.items():
        other = loaded.stages[name]
        other.load_state_dict(stage.state_dict())
        for (key, one), (_, two) in zip(
            _tensors(stage).items(), _tensors(other).items(), strict=True
        ):
            assert torch.equal(one, two), key


def _tensors(stage):
    return dict(stage.named_parameters()) | dict(stage.named_buffers())
