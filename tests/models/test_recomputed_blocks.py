"""Gradient checkpointing: the same gradients, bit for bit, with less kept for the backward pass."""

import copy

import nano
import pytest
import torch
from block_network import BlockNetwork, run
from torch import nn

import mousai_kit.api as mk
from mousai_kit.models.blocks import wrap_blocks
from mousai_kit.models.device import autocast
from mousai_kit.training.run import train_run

DIT = "stages.generator.model.unet={use: dit1d, features: 16, depth: 2, heads: 2}"
PYRAMID = (
    "stages.autoencoder.model.encoder={use: magnitude, channels: 16, blocks: [1, 1], groups: 4}"
)
DROPOUT = "stages.generator.model.text.dropout=0.5"
SYSTEMS = {
    "unet1d": (),
    "dit1d": (DIT,),
    "dropout": (PYRAMID, DROPOUT),
}


def stages(*overrides):
    cascade = mk.Cascade.build(nano.recipe(*overrides))
    for stage in cascade.stages.values():
        signal = torch.randn(4, stage.input_space.channels, stage.input_space.frames(2048))
        stage.fit_statistics([signal], ["low saw chord, slow"])
        stage.train()
    return cascade.stages


def loss(stage, *, recompute, precision="fp32"):
    """Return a step's loss, the same at every call."""
    torch.manual_seed(0)
    signal = torch.randn(2, stage.input_space.channels, stage.input_space.frames(2048))
    with autocast(torch.device("cpu"), precision), wrap_blocks(stage, recompute=recompute):
        return stage.loss(signal, ["low saw", "slow"], noise=mk.NoiseSource([1, 2])).mean()


def gradients(stage, **how):
    stage.zero_grad()
    loss(stage, **how).backward()
    return {name: it.grad.clone() for name, it in stage.named_parameters()}


def kept(stage, *, recompute):
    """Return the bytes that a step keeps for the backward pass, beside the weights."""
    sizes = {}

    def note(tensor):
        sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        held = loss(stage, recompute=recompute)
    assert held.requires_grad
    weights = {it.untyped_storage().data_ptr() for it in stage.parameters()}
    return sum(size for place, size in sizes.items() if place not in weights)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_gradients_are_the_same_bit_for_bit(here, system, precision):
    for name, stage in stages(*SYSTEMS[system]).items():
        plain = gradients(stage, recompute=False, precision=precision)
        again = gradients(stage, recompute=True, precision=precision)
        assert [it for it in plain if not torch.equal(plain[it], again[it])] == [], name


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_stage_keeps_less(here, system):
    for name, stage in stages(*SYSTEMS[system]).items():
        assert kept(stage, recompute=True) < 0.7 * kept(stage, recompute=False), name


def test_training_computes_again_and_learns_the_same_weights(here):
    found = [trained(recompute) for recompute in ("false", "true")]
    (plain, calls), (again, more_calls) = found
    assert more_calls == calls + 4  # one a step
    assert all(torch.equal(it, again[key]) for key, it in plain.items())


def trained(recompute):
    """Return the weights of a training of four steps, and how often a block's inside was called."""
    system = nano.system(
        f"stages.autoencoder.train.recompute={recompute}",
        text=nano.AUTOENCODER_ONLY,
        folder=f"runs/{recompute}",
    )
    stage, calls = system.cascade.stages["autoencoder"], []
    inside = stage.unet.depths[0].items_down[0].resnet
    inside.register_forward_pre_hook(lambda *called: calls.append(called))
    train_run(system)
    return stage.state_dict(), len(calls)


class Counting(nn.Module):
    """Counts how often it is called."""

    def __init__(self, inner=None):
        super().__init__()
        self.inner, self.calls = inner, 0
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, x):
        self.calls += 1
        y = (x * self.weight).sin()
        return y if self.inner is None else self.inner(y)


def test_a_block_is_called_again_only_where_training_asks_for_it():
    block, x = Counting(), torch.ones(3)
    run(block, x).sum().backward()
    assert block.calls == 1
    y = run(block, x, recompute=True)
    with torch.no_grad():
        run(block, x, recompute=True)
    run(block, x)
    assert block.calls == 4
    y.sum().backward()
    assert block.calls == 5


def test_a_block_inside_another_is_called_as_often_as_that():
    inner = Counting()
    outer = Counting(inner)
    run(outer, torch.ones(3), recompute=True).sum().backward()
    assert (outer.calls, inner.calls) == (2, 2)


def test_a_copy_made_meanwhile_is_called_again_itself():
    network = BlockNetwork(Counting())
    with wrap_blocks(network, recompute=True):
        other = copy.deepcopy(network)
    other(torch.ones(3)).sum().backward()
    assert [it.blocks[0].calls for it in (network, other)] == [0, 2]


def test_an_error_in_a_block_is_the_blocks_own():
    class Broken(Counting):
        def forward(self, x):
            raise mk.RequestError("no such length")

    block = Broken()
    with pytest.raises(mk.RequestError, match=r"^no such length$"):
        run(block, torch.ones(3), recompute=True)
    assert "forward" not in vars(block)


def test_hooks_are_called_once_around_what_is_computed_again():
    block, x, called = Counting(), torch.ones(3, requires_grad=True), []
    block.register_forward_pre_hook(
        lambda module, given: called.append("before") or (given[0] * 2,)
    )
    block.register_forward_hook(lambda *given: called.append("after"))
    run(block, x, recompute=True).sum().backward()
    assert (block.calls, called) == (2, ["before", "after"])
    assert torch.allclose(x.grad, 2 * torch.full((3,), 2.0).cos())
    assert "forward" not in vars(block)
