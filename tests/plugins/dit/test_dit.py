"""The diffusion transformer: its conditions, its positions, any length, and how it starts."""

import pytest
import torch
from pydantic import ValidationError

import mousai_kit.api as mk
from mousai_kit_dit.attention import RotarySelfAttention
from mousai_kit_dit.dit import DiT1d, _patches, _unpatch
from mousai_kit_dit.modulation import LevelFilter, LevelModulation, modulate
from mousai_kit_dit.rotary import Rotary

SMALL = {"features": 16, "depth": 2, "heads": 2, "feed_forward": 2.0}
CHANNELS, CONTEXT, FEATURES, TOKENS = 2, 3, 6, 5


def fresh(context_channels=CONTEXT, text_features=FEATURES, channels=CHANNELS, **options):
    torch.manual_seed(0)
    return DiT1d(
        DiT1d.Options.model_validate({**SMALL, **options}),
        channels=channels,
        context_channels=context_channels,
        text_features=text_features,
    )


@torch.no_grad()
def trained(**changes):
    """Return a network in which nothing is 0, as after some training."""
    network = fresh(**changes)
    generator = torch.Generator().manual_seed(2)
    for parameter in network.parameters():
        parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return network


def given(batch=2, length=12, frames=4):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(batch, CHANNELS, length, generator=generator)
    sigma = torch.rand(batch, generator=generator)
    context = torch.randn(batch, CONTEXT, frames, generator=generator)
    embedding = torch.randn(batch, TOKENS, FEATURES, generator=generator)
    return (
        x,
        sigma,
        context,
        mk.TextEmbedding(embedding, torch.ones(batch, TOKENS, dtype=torch.bool)),
    )


FORMS = pytest.mark.parametrize(
    "form", [{}, {"patch": 4}, {"head": "gain"}, {"summary": True}, {"filter": 3}], ids=str
)


class TestStart:
    @FORMS
    def test_v_is_zero(self, form):
        x, sigma, context, text = given()
        assert not fresh(**form)(x, sigma, context=context, text=text).any()

    def test_a_block_changes_nothing(self):
        network = fresh()
        _, sigma, context, text = given()
        bound = network.bind(context, text)
        frames = torch.randn(2, 12, SMALL["features"])
        told = network.level.split(network.level(sigma))[0]
        rotary = network.frame_context(None, 12).rotary
        assert torch.equal(network.blocks[0](frames, told, rotary, bound.memories[0]), frames)

    def test_two_steps_reach_every_parameter(self):
        """What stands behind a closed gate learns as soon as the gate has moved."""
        network = fresh(patch=2, head="gain")
        x, sigma, context, text = given()
        optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
        for _ in range(3):
            optimizer.zero_grad()
            v = network(x, sigma, context=context, text=text)
            (v - x).square().sum().backward()
            optimizer.step()
        still = [name for name, p in network.named_parameters() if not p.grad.any()]
        assert still == []

    def test_the_defaults_are_as_large_as_the_papers_generator(self):
        with torch.device("meta"):
            network = DiT1d(DiT1d.Options(), channels=32, context_channels=0, text_features=768)
            text = mk.TextEmbedding(torch.empty(1, 64, 768), torch.empty(1, 64, dtype=torch.bool))
            v = network(torch.empty(1, 32, 2048), torch.empty(1), text=text)
        assert sum(p.numel() for p in network.parameters()) == 558_513_824  # its: 562.5 M
        assert (v.shape, v.device.type) == ((1, 32, 2048), "meta")


class TestPositions:
    def test_products_know_only_how_far_apart_frames_stand(self):
        rotary = Rotary.over(32, 8, device=torch.device("cpu"))
        query, key = torch.randn(2, 1, 1, 1, 8).expand(2, 1, 1, 32, 8)
        scores = (rotary.rotate(query) @ rotary.rotate(key).transpose(2, 3))[0, 0]
        for distance in (-9, -1, 0, 4, 30):
            line = scores.diagonal(distance)
            torch.testing.assert_close(line, line[:1].expand_as(line), rtol=1e-4, atol=1e-5)
        assert scores[0].std() > 0.1, "and they do know that"

    def test_turning_keeps_lengths_and_the_first_frame(self):
        rotary = Rotary.over(100, 16, device=torch.device("cpu"))
        x = torch.randn(2, 3, 100, 16)
        rotate = rotary.rotate(x)
        torch.testing.assert_close(rotate.norm(dim=3), x.norm(dim=3))
        assert torch.equal(rotate[:, :, 0], x[:, :, 0])

    def test_the_first_pair_turns_by_a_radian_a_frame_and_later_ones_slower(self):
        rotary = Rotary.over(2, 8, device=torch.device("cpu"))
        angles = torch.atan2(rotary.sin[1], rotary.cos[1])
        torch.testing.assert_close(angles, torch.tensor([1.0, 0.1, 0.01, 0.001]))

    @torch.no_grad()
    def test_attention_is_told_where_frames_stand(self):
        attention = RotarySelfAttention(16, heads=2)
        x = torch.randn(1, 10, 16)
        rotary = Rotary.over(10, 8, device=x.device)
        order = torch.arange(9, -1, -1)
        there_and_back = attention(x[:, order], rotary)[:, order]
        assert (there_and_back - attention(x, rotary)).abs().max() > 1e-3

    @torch.no_grad()
    def test_a_later_start_changes_nothing(self):
        attention = RotarySelfAttention(16, heads=2)
        x = torch.randn(1, 6, 16)
        later = Rotary.over(20, 8, device=x.device)
        later = Rotary(later.cos[9:15], later.sin[9:15])
        expected = attention(x, Rotary.over(6, 8, device=x.device))
        torch.testing.assert_close(attention(x, later), expected)


class TestLevel:
    def test_one_level_for_all_is_the_level_of_each(self):
        x = torch.randn(3, 4, 8)
        scale, shift = torch.randn(2, 1, 1, 8)
        expected = modulate(x, scale.expand(3, 1, 8), shift.expand(3, 1, 8))
        torch.testing.assert_close(modulate(x, scale, shift), expected)

    def test_each_place_is_told_vectors_of_its_own(self):
        level = LevelModulation(features=4, parts=[6, 6, 2])
        told = torch.arange(56.0)[None]
        places = level.split(told)
        assert [len(place) for place in places] == [6, 6, 2]
        assert torch.equal(torch.cat([it.flatten() for it in sum(places, ())]), told[0])


@FORMS
@pytest.mark.parametrize("length", [1, 3, 12, 17])
def test_the_shape_is_kept_at_any_length(form, length):
    x, sigma, context, text = given(length=length)
    v = trained(**form)(x, sigma, context=context, text=text)
    assert v.shape == x.shape
    assert v.isfinite().all()


@FORMS
def test_every_parameter_and_condition_gets_a_gradient(form):
    network = trained(**form)
    x, sigma, context, text = given()
    context.requires_grad_()
    text.embedding.requires_grad_()
    network(x, sigma, context=context, text=text).square().sum().backward()
    without = [name for name, p in network.named_parameters() if not p.grad.any()]
    assert without == []
    assert context.grad.any()
    assert text.embedding.grad.any()


@torch.no_grad()
@FORMS
def test_items_of_a_batch_do_not_mix(form):
    network = trained(**form)
    x, sigma, context, text = given(batch=3)
    together = network(x, sigma, context=context, text=text)
    for item in range(3):
        one = slice(item, item + 1)
        words = mk.TextEmbedding(text.embedding[one], text.mask[one])
        alone = network(x[one], sigma[one], context=context[one], text=words)
        torch.testing.assert_close(together[one], alone, rtol=1e-4, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("changed", ["x", "sigma", "context", "text"])
def test_v_follows_every_condition(changed):
    network = trained()
    x, sigma, context, text = given()
    other = {"x": x, "sigma": sigma, "context": context, "text": text}
    before = network(**other)
    if changed == "text":
        other["text"] = mk.TextEmbedding(text.embedding.flip(2), text.mask)
    else:
        other[changed] = other[changed] * 0.5
    assert (network(**other) - before).abs().max() > 1e-3


@torch.no_grad()
def test_a_masked_token_has_no_influence_whatever_it_holds():
    network = trained()
    x, sigma, context, text = given()
    text.mask[:, 3:] = False
    short = mk.TextEmbedding(text.embedding[:, :3], text.mask[:, :3])
    expected = network(x, sigma, context=context, text=short)
    text.embedding[:, 3:] = torch.nan
    torch.testing.assert_close(network(x, sigma, context=context, text=text), expected)


def test_a_text_without_any_token_says_nothing_and_trains():
    network = trained()
    x, sigma, context, text = given()
    text.mask[0] = False
    other = mk.TextEmbedding(text.embedding.clone(), text.mask)
    other.embedding[0] = torch.inf
    v = network(x, sigma, context=context, text=text)
    assert torch.equal(v, network(x, sigma, context=context, text=other))
    v.square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())


def test_a_patch_holds_neighbours_of_all_channels():
    x = torch.arange(10.0).reshape(1, 2, 5)
    patches = _patches(x, 3)
    assert patches.tolist() == [[[0, 1, 2, 5, 6, 7], [3, 4, 0, 8, 9, 0]]]
    assert torch.equal(_unpatch(patches, 3)[..., :5], x)


@torch.no_grad()
@pytest.mark.parametrize("length", [9, 11])
def test_padding_inside_is_silence_behind_the_end(length):
    network = trained(patch=4, context_channels=0)
    x, sigma, _, text = given(length=length)
    padded = torch.nn.functional.pad(x, (0, 12 - length))
    expected = network(padded, sigma, text=text)[..., :length]
    torch.testing.assert_close(network(x, sigma, text=text), expected)


@torch.no_grad()
def test_a_context_at_another_rate_is_that_context_at_the_rate_of_x():
    network = trained()
    x, sigma, context, text = given()
    expected = network(x, sigma, context=context.repeat_interleave(3, dim=2), text=text)
    torch.testing.assert_close(network(x, sigma, context=context, text=text), expected)
    finer = context.repeat_interleave(6, dim=2) + torch.tensor([0.5, -0.5]).repeat(12)
    torch.testing.assert_close(network(x, sigma, context=finer, text=text), expected)


@torch.no_grad()
@FORMS
@pytest.mark.parametrize("named", [0, 3])
def test_a_bound_velocity_equals_forward_at_levels_that_were_named_and_others(form, named):
    network = trained(**form)
    x, sigma, context, text = given()
    levels = torch.tensor([1.0, 0.7, 0.2])
    velocity = network.bind(context, text, levels=levels[:named])
    for asked in (levels[:1].expand(2), levels[2:].expand(2), levels[:2], sigma):
        expected = network(x, asked, context=context, text=text)
        torch.testing.assert_close(velocity(x, asked), expected, rtol=1e-4, atol=1e-5)
    shorter = network(x[..., :5], sigma, context=context, text=text)
    torch.testing.assert_close(velocity(x[..., :5], sigma), shorter, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_what_does_not_change_is_worked_out_once():
    network = trained()
    x, _, context, text = given()
    levels = torch.tensor([1.0, 0.5])
    asked = []
    for part in (network.read, network.hear, network.level):
        part.register_forward_hook(lambda part, *_: asked.append(part))
    velocity = network.bind(context, text, levels=levels)
    for level in levels:
        velocity(x, level.expand(2))
        velocity(x, level.expand(2))
    assert asked.count(network.read) == 1
    assert asked.count(network.hear) == 1
    assert asked.count(network.level) == 1


@torch.no_grad()
def test_the_gain_head_multiplies_x_elementwise():
    network = fresh(head="gain")
    network.leave.bias.copy_(torch.tensor([2.0, 3.0, 0.5, -0.5]))  # g, then r
    x, sigma, context, text = given()
    expected = x * torch.tensor([[2.0], [3.0]]) + torch.tensor([[0.5], [-0.5]])
    torch.testing.assert_close(network(x, sigma, context=context, text=text), expected)


@pytest.mark.parametrize("training", [False, True])
def test_bfloat16_autocast_is_near_the_float_result(training):
    network = trained(head="gain")
    x, sigma, context, text = given(length=32)
    text.mask[0] = False
    with torch.set_grad_enabled(training):
        exact = network(x, sigma, context=context, text=text)
        with torch.autocast("cpu", torch.bfloat16):
            rough = network(x, sigma, context=context, text=text)
    assert (rough - exact).norm() / exact.norm() < 0.05


def test_features_that_positions_can_not_turn_are_refused():
    with pytest.raises(ValidationError) as caught:
        DiT1d.Options.model_validate({"features": 12, "heads": 4})
    (error,) = caught.value.errors()
    assert error["msg"] == (
        "Value error, features must be a multiple of twice the heads, as positions turn pairs "
        "(got features 12, heads 4)"
    )


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"text": None}, "dit1d: needs a text of 6 features, but none came"),
        ({"context": None}, "dit1d: needs a context of 3 channels, but none came"),
    ],
)
def test_a_missing_condition_is_one_clear_line(changed, message):
    x, sigma, context, text = given()
    with pytest.raises(mk.MousaiError) as caught:
        fresh()(x, sigma, **{"context": context, "text": text, **changed})
    assert str(caught.value) == message


def test_a_summary_is_of_real_tokens_alone_and_steers_every_frame():
    network = trained(summary=True)
    x, sigma, context, text = given()
    for block in network.blocks:  # deaf to the text but for the summary
        torch.nn.init.zeros_(block.reading.leave.weight)
    heard = network(x, sigma, context=context, text=text)
    mask = text.mask.clone()
    mask[:, 3:] = False
    short = network(x, sigma, context=context, text=mk.TextEmbedding(text.embedding, mask))
    noise = text.embedding.clone()
    noise[:, 3:] = 7.0
    assert torch.equal(
        short, network(x, sigma, context=context, text=mk.TextEmbedding(noise, mask))
    )
    assert (short - heard).abs().amin(1).min() > 0


@torch.no_grad()
def test_a_filter_is_nothing_before_training():
    x, sigma, *_ = given()
    assert not LevelFilter(CHANNELS, 3)(x, sigma).any()


@torch.no_grad()
def test_a_filter_looks_at_neighbours_of_its_own_channel_as_the_level_says():
    torch.manual_seed(0)
    filtered = LevelFilter(CHANNELS, 2)
    filtered.taps.weight.normal_()
    impulse = torch.zeros(2, CHANNELS, 11)
    impulse[:, 1, 5] = 1
    out = filtered(impulse, torch.tensor([0.2, 0.9]))
    assert not out[:, 0].any()
    assert out[:, 1].nonzero()[:, 1].unique().tolist() == [3, 4, 5, 6, 7]
    assert not torch.allclose(out[0], out[1])
    together, alone = (
        filtered(impulse, torch.tensor([0.2, 0.9])),
        filtered(impulse[1:], torch.tensor([0.9])),
    )
    torch.testing.assert_close(together[1:], alone)
