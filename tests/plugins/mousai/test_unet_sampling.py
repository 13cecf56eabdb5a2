"""A U-Net bound for sampling: the same network, with what stays the same worked out once."""

from __future__ import annotations

import copy
import weakref

import pytest
import torch
from test_unet import SMALL, built, everything, given

import mousai_kit.api as mk
from mousai_kit_mousai.layers.modulation import Modulation
from mousai_kit_mousai.layers.packing import Packing, pack
from mousai_kit_mousai.layers.upsampling import Upsampling

LEVELS = torch.linspace(1, 0, 5)
FORMS = [
    {},
    {"head": "gain"},
    {"skip": "concatenated"},
    {"transform": {"filters": 4, "window": 8, "stride": 4}},
    {"transform": {"filters": 4, "window": 4, "stride": 4}, "factors": [1, 3, 5]},
]


def at(level, batch=2):
    return torch.full((batch,), float(level))


@torch.no_grad()
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("length", [120, 77])
def test_a_network_bound_with_levels_equals_forward_at_every_level(form, length):
    network = everything(**form)
    x, _, context, text = given(length=length)
    velocity = network.bind(context, text, levels=LEVELS)
    for level in [*LEVELS.tolist(), 0.123]:
        expected = network(x, at(level), context=context, text=text)
        torch.testing.assert_close(velocity(x, at(level)), expected, rtol=0, atol=3e-6)


@torch.no_grad()
def test_a_batch_of_several_levels_is_right_too():
    network = everything()
    x, _, context, text = given()
    sigma = torch.tensor([0.75, 0.25])
    velocity = network.bind(context, text, levels=LEVELS)
    expected = network(x, sigma, context=context, text=text)
    torch.testing.assert_close(velocity(x, sigma), expected, rtol=0, atol=3e-6)


@torch.no_grad()
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("sigma", [at(0.5), torch.tensor([0.5, 0.123])])
def test_in_bfloat16_it_is_near_at_told_levels_and_at_others(form, sigma):
    network = everything(**form)
    x, _, context, text = given(length=60)
    text.mask[0] = False
    text.mask[1, 2:] = False
    exact = network(x, sigma, context=context, text=text)
    with torch.autocast("cpu", torch.bfloat16):
        velocity = network.bind(context, text, levels=LEVELS)
        rough = velocity(x, sigma)
    assert rough.dtype == torch.float32
    assert 1e-6 < (rough - exact).norm() / exact.norm() < 0.02


@torch.no_grad()
def test_a_masked_text_is_heard_alike():
    network = everything()
    x, sigma, context, text = given()
    text.mask[0, 3:] = False
    text.mask[1] = False
    text.embedding[0, 3:] = torch.nan
    velocity = network.bind(context, text, levels=LEVELS)
    expected = network(x, sigma, context=context, text=text)
    torch.testing.assert_close(velocity(x, sigma), expected, rtol=0, atol=3e-6)


@torch.no_grad()
def test_the_modulation_of_all_told_levels_is_worked_out_once():
    network = everything()
    x, _, context, text = given()
    calls = []
    for module in network.modules():
        if isinstance(module, Modulation):
            module.scale_shift.register_forward_hook(lambda _, args, __: calls.append(len(args[0])))
    velocity = network.bind(context, text, levels=LEVELS)
    for level in LEVELS[:-1]:
        velocity(x, level.expand(2))
    modulations = sum(isinstance(it, Modulation) for it in network.modules())
    assert calls == [len(LEVELS)] * modulations


@torch.no_grad()
@pytest.mark.parametrize(
    "change",
    [
        lambda network: network.depths[0].enter.weight.mul_(2),
        lambda network: network.load_state_dict(
            {name: it * 1.1 for name, it in network.state_dict().items()}
        ),
    ],
)
def test_changed_weights_are_packed_anew(change):
    network = everything()
    x, sigma, context, text = given()
    before = network.bind(context, text, levels=LEVELS)(x, sigma)
    change(network)
    after = network.bind(context, text, levels=LEVELS)(x, sigma)
    expected = network(x, sigma, context=context, text=text)
    torch.testing.assert_close(after, expected, rtol=0, atol=5e-6)
    assert (after - before).abs().max() > 1e-3


@torch.no_grad()
def test_weights_are_packed_once_for_many_bindings_and_let_go_for_training():
    network = everything().eval()
    x, sigma, context, text = given()
    with torch.autocast("cpu", torch.bfloat16):
        network.bind(context, text, levels=LEVELS)(x, sigma)
    network.bind(context, text, levels=LEVELS)(x, sigma)
    packed = network.pack()
    exact = network.bind(context, text, levels=LEVELS)(x, sigma)
    expected = network(x, sigma, context=context, text=text)
    torch.testing.assert_close(exact, expected, rtol=0, atol=3e-6)
    assert network.pack() is packed
    weights = weakref.ref(packed.depths[0].enter)
    del packed
    assert weights() is not None
    network.train()
    assert weights() is None  # without the garbage collector: packed weights are large


def test_a_network_that_learns_is_not_packed_and_gets_gradients():
    network = everything()
    x, sigma, context, text = given()
    velocity = network.bind(context, text, levels=LEVELS)
    velocity(x, sigma).square().sum().backward()
    assert velocity.network is network
    assert all(it.grad is not None for it in network.parameters())


@torch.no_grad()
def test_where_torch_has_no_packed_products_the_plain_ones_do(monkeypatch):
    monkeypatch.setattr(Packing, "available", staticmethod(lambda *_: False))
    network = everything()
    x, sigma, context, text = given()
    velocity = network.bind(context, text, levels=LEVELS)
    assert torch.equal(velocity(x, sigma), network(x, sigma, context=context, text=text))
    assert velocity.network is network


@torch.no_grad()
def test_in_double_precision_it_samples_unpacked():
    network = everything().double()
    x, _, context, text = given()
    text = mk.TextEmbedding(text.embedding.double(), text.mask)
    velocity = network.bind(context.double(), text, levels=LEVELS.double())
    expected = network(x.double(), at(0.5).double(), context=context.double(), text=text)
    torch.testing.assert_close(velocity(x.double(), at(0.5).double()), expected)


@torch.no_grad()
def test_what_comes_out_may_be_changed_in_place():
    network = everything()
    x, sigma, context, text = given()
    v = network.bind(context, text, levels=LEVELS)(x, sigma)
    assert torch.equal(v.clone().mul_(2), v.mul_(2))


class TestSettled:
    @torch.no_grad()
    def test_it_samples_as_before_with_the_weights_in_memory_once(self):
        network = everything().eval()
        x, sigma, context, text = given()
        expected = network.bind(context, text, levels=LEVELS)(x, sigma)
        settled = copy.deepcopy(network)
        settled.prepare_for_inference()
        for _ in range(2):
            assert torch.equal(settled.bind(context, text, levels=LEVELS)(x, sigma), expected)
        left = sum(it.untyped_storage().nbytes() for it in settled.parameters())
        assert left < 0.5 * sum(it.untyped_storage().nbytes() for it in network.parameters())

    @torch.no_grad()
    def test_it_has_no_state_dict_once_it_has_sampled(self):
        network = everything().eval()
        x, sigma, context, text = given()
        network.prepare_for_inference()
        assert network.state_dict()
        network.bind(context, text, levels=LEVELS)(x, sigma)
        with pytest.raises(mk.MousaiError) as caught:
            network.state_dict()
        assert str(caught.value) == (
            "the network is settled for sampling; load the weights anew to keep them"
        )

    @torch.no_grad()
    def test_it_stays_in_the_precision_of_its_first_sample(self):
        network = everything().eval()
        x, sigma, context, text = given()
        network.prepare_for_inference()
        network.bind(context, text, levels=LEVELS)(x, sigma)
        with pytest.raises(mk.MousaiError) as caught, torch.autocast("cpu", torch.bfloat16):
            network.bind(context, text, levels=LEVELS)
        assert str(caught.value) == (
            "the network is settled for torch.float32, not for torch.bfloat16"
        )


@pytest.mark.parametrize("factor", [1, 2, 3, 5])
@pytest.mark.parametrize("packed", [False, True])
@torch.no_grad()
def test_upsampling_repeats_every_frame_then_convolves(factor, packed):
    layer = Upsampling(6, 4, factor)
    x = torch.randn(2, 7, 6)
    repeated = x.repeat_interleave(factor, dim=1).transpose(1, 2)
    convolution = layer.convolution
    expected = torch.nn.functional.conv1d(
        repeated, convolution.weight, convolution.bias, padding=1
    ).transpose(1, 2)
    layer = pack(layer, Packing(torch.float32)) if packed else layer
    torch.testing.assert_close(layer(x), expected, rtol=0, atol=2e-6)


def test_few_channels_stay_in_float32():
    packing = Packing(torch.bfloat16)
    assert [packing.type_of(channels) for channels in (8, 15, 16, 256)] == [
        torch.float32,
        torch.float32,
        torch.bfloat16,
        torch.bfloat16,
    ]


def test_a_network_without_conditioning_is_bound_too():
    network = built(SMALL)
    x, sigma, *_ = given()
    with torch.no_grad():
        torch.testing.assert_close(
            network.bind(levels=LEVELS)(x, sigma), network(x, sigma), rtol=0, atol=3e-6
        )
