"""The 1-D U-Net: the paper's sizes, its conditioning, any length, and what it refuses."""

import pytest
import torch
from pydantic import ValidationError

import mousai_kit.api as mk
from mousai_kit_mousai.unet import UNet1d

SMALL = {
    "channels": [8, 16, 24],
    "factors": [1, 2, 2],
    "blocks": [1, 1, 2],
    "context_injections": [],
    "attention_heads": 2,
    "attention_features": 4,
    "modulation_features": 16,
    "groups": 4,
    "transform": None,
}
LISTENING = {**SMALL, "attentions": [0, 1, 1], "cross_attentions": [1, 0, 1]}
EVERYTHING = {**LISTENING, "context_injections": [0, 1, 1]}
CONTEXT, FEATURES, TOKENS = 3, 6, 5


def built(options, channels=2, context_channels=0, text_features=0):
    torch.manual_seed(0)
    return UNet1d(
        UNet1d.Options.model_validate(options),
        channels=channels,
        context_channels=context_channels,
        text_features=text_features,
    )


def everything(**changes):
    return built({**EVERYTHING, **changes}, context_channels=CONTEXT, text_features=FEATURES)


def given(batch=2, length=32, frames=8):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(batch, 2, length, generator=generator)
    sigma = torch.rand(batch, generator=generator)
    context = torch.randn(batch, CONTEXT, frames, generator=generator)
    embedding = torch.randn(batch, TOKENS, FEATURES, generator=generator)
    text = mk.TextEmbedding(embedding, torch.ones(batch, TOKENS, dtype=torch.bool))
    return x, sigma, context, text


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_defaults_are_the_papers_decoder():
    with torch.device("meta"):
        decoder = built({}, context_channels=32)
        v = decoder(torch.empty(1, 2, 2**18), torch.empty(1), context=torch.empty(1, 32, 256))
    assert parameters(decoder) == 160_669_568
    assert decoder.downsampling == 4096
    assert v.shape == (1, 2, 2**18)


def test_the_papers_generator_has_its_parameters_beside_the_null_embedding():
    options = {
        "channels": [128, 256, 512, 512, 1024, 1024],
        "factors": [1, 2, 2, 2, 2, 2],
        "blocks": [2, 2, 2, 4, 8, 8],
        "attentions": [0, 0, 1, 1, 1, 1],
        "cross_attentions": [1] * 6,
        "context_injections": [],
        "transform": None,
    }
    with torch.device("meta"):
        generator = built(options, channels=32, text_features=768)
        text = mk.TextEmbedding(torch.empty(1, 64, 768), torch.empty(1, 64, dtype=torch.bool))
        v = generator(torch.empty(1, 32, 2048), torch.empty(1), text=text)
    assert parameters(generator) + 64 * 768 == 562_557_248
    assert generator.downsampling == 32
    assert v.shape == (1, 32, 2048)


@pytest.mark.parametrize("skip", ["modulated", "concatenated"])
@pytest.mark.parametrize("head", ["plain", "gain"])
@pytest.mark.parametrize("transform", [None, {"filters": 4, "window": 8, "stride": 4}])
@pytest.mark.parametrize("length", [1, 7, 31, 32, 40])
def test_every_form_keeps_the_shape_at_any_length(skip, head, transform, length):
    network = everything(skip=skip, head=head, transform=transform)
    x, sigma, context, text = given(length=length)
    v = network(x, sigma, context=context, text=text)
    assert v.shape == x.shape
    assert v.isfinite().all()


@pytest.mark.parametrize("skip", ["modulated", "concatenated"])
@pytest.mark.parametrize("head", ["plain", "gain"])
def test_every_parameter_gets_a_gradient(skip, head):
    network = everything(skip=skip, head=head, transform={"filters": 4, "window": 4, "stride": 2})
    x, sigma, context, text = given()
    network(x, sigma, context=context, text=text).square().sum().backward()
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


def test_the_context_and_the_text_get_gradients():
    x, sigma, context, text = given()
    context.requires_grad_()
    text.embedding.requires_grad_()
    everything()(x, sigma, context=context, text=text).square().sum().backward()
    assert context.grad.any()
    assert text.embedding.grad.any()


@torch.no_grad()
def test_items_of_a_batch_do_not_mix():
    network = everything(head="gain")
    x, sigma, context, text = given(batch=3)
    together = network(x, sigma, context=context, text=text)
    alone = torch.cat(
        [
            network(
                x[i : i + 1],
                sigma[i : i + 1],
                context=context[i : i + 1],
                text=mk.TextEmbedding(text.embedding[i : i + 1], text.mask[i : i + 1]),
            )
            for i in range(3)
        ]
    )
    torch.testing.assert_close(together, alone)


@torch.no_grad()
@pytest.mark.parametrize("changed", ["sigma", "context", "text"])
def test_v_follows_every_condition(changed):
    network = everything()
    x, sigma, context, text = given()
    conditions = {"sigma": sigma, "context": context, "text": text}
    before = network(x, **conditions)
    if changed == "text":
        conditions["text"] = mk.TextEmbedding(text.embedding + 1 + torch.randn(FEATURES), text.mask)
    else:
        conditions[changed] = conditions[changed] * 0.5
    assert (network(x, **conditions) - before).abs().max() > 1e-4


@torch.no_grad()
def test_a_masked_token_has_no_influence_whatever_it_holds():
    network = everything()
    x, sigma, context, text = given()
    text.mask[:, 3:] = False
    expected = network(
        x, sigma, context=context, text=mk.TextEmbedding(text.embedding[:, :3], text.mask[:, :3])
    )
    text.embedding[:, 3:] = torch.nan
    torch.testing.assert_close(network(x, sigma, context=context, text=text), expected)


def test_a_text_without_any_token_says_nothing_and_trains():
    network = everything()
    x, sigma, context, text = given()
    text.mask[0] = False
    other = mk.TextEmbedding(text.embedding.clone(), text.mask)
    other.embedding[0] = 1e6
    v = network(x, sigma, context=context, text=text)
    assert torch.equal(v, network(x, sigma, context=context, text=other))
    v.square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())


@torch.no_grad()
@pytest.mark.parametrize("length", [32, 27])
def test_a_bound_velocity_equals_forward_at_every_call(length):
    network = everything(head="gain")
    x, sigma, context, text = given(length=length)
    velocity = network.bind(context, text)
    for step in range(3):
        level = sigma * 0.7**step
        expected = network(x, level, context=context, text=text)
        torch.testing.assert_close(velocity(x, level), expected, rtol=0, atol=1e-6)
    shorter = network(x[..., :16], sigma, context=context, text=text)
    torch.testing.assert_close(velocity(x[..., :16], sigma), shorter, rtol=0, atol=1e-6)


@torch.no_grad()
def test_a_bound_velocity_reads_the_text_once(monkeypatch):
    network = everything()
    x, sigma, context, text = given()
    reads = []
    attention = network.depths[0].items_down[0].layers[1]
    read = attention.key_value_weights
    monkeypatch.setattr(attention, "key_value_weights", lambda: reads.append(1) or read())
    velocity = network.bind(context, text)
    for _ in range(3):
        velocity(x, sigma)
    assert len(reads) == 1


@torch.no_grad()
def test_a_context_at_another_rate_is_that_context_repeated():
    network = everything(context_injections=[0, 1, 0])  # depth 1 has 16 frames where x has 32
    x, sigma, context, text = given(frames=4)
    repeated = context.repeat_interleave(4, dim=2)
    expected = network(x, sigma, context=repeated, text=text)
    torch.testing.assert_close(network(x, sigma, context=context, text=text), expected)


@torch.no_grad()
def test_a_finer_context_is_averaged():
    network = everything(context_injections=[0, 1, 0])
    x, sigma, context, text = given(frames=16)
    finer = context.repeat_interleave(2, dim=2) + torch.tensor([0.5, -0.5]).repeat(16)
    expected = network(x, sigma, context=context, text=text)
    torch.testing.assert_close(network(x, sigma, context=finer, text=text), expected)


@torch.no_grad()
def test_padding_does_not_stretch_the_context():
    network = built({**SMALL, "context_injections": [0, 0, 1]}, context_channels=CONTEXT)
    x, sigma, context, _ = given(length=17, frames=5)  # 5 frames of 4 cover 17
    padded = torch.nn.functional.pad(x, (0, 3))
    expected = network(padded, sigma, context=context)[..., :17]
    torch.testing.assert_close(network(x, sigma, context=context), expected)


@torch.no_grad()
@pytest.mark.parametrize(("head", "low", "high"), [("plain", 0.8, 1.2), ("gain", 0.0, 0.2)])
def test_v_starts_near_zero_with_the_gain_head_and_as_published_without(head, low, high):
    x, sigma, context, text = given(length=256)
    v = everything(head=head)(x, sigma, context=context, text=text)
    assert low < v.square().mean().sqrt() < high


@torch.no_grad()
def test_the_gain_head_multiplies_x_elementwise():
    network = built({**SMALL, "head": "gain"})
    surface = network.depths[0].leave.convolution
    surface.weight.zero_()
    surface.bias.copy_(torch.tensor([2.0, 3.0, 0.5, -0.5]))  # g, then r
    x, sigma, *_ = given()
    expected = x * torch.tensor([[2.0], [3.0]]) + torch.tensor([[0.5], [-0.5]])
    torch.testing.assert_close(network(x, sigma), expected)


@pytest.mark.parametrize("training", [False, True])
def test_bfloat16_autocast_is_near_the_float_result(training):
    network = everything(head="gain", transform={"filters": 4, "window": 8, "stride": 4})
    x, sigma, context, text = given(length=64)
    text.mask[0] = False
    text.mask[1, 2:] = False
    with torch.set_grad_enabled(training):
        exact = network(x, sigma, context=context, text=text)
        with torch.autocast("cpu", torch.bfloat16):
            rough = network(x, sigma, context=context, text=text)
    assert (rough - exact).norm() / exact.norm() < 0.05


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"channels": [8, 16], "attentions": [0]},
            (
                "the lists need one value per depth each (they have channels 2, factors 3, "
                "blocks 3, attentions 1)"
            ),
        ),
        ({"channels": [8, 18, 24]}, "channels must be multiples of groups, 4 (got 18)"),
        (
            {"transform": {"window": 65}},
            (
                "window must be stride or an even number of samples more, so that frames cover the "
                "wave evenly (got window 65, stride 64)"
            ),
        ),
    ],
)
def test_options_that_do_not_fit_together_are_refused_in_one_line(options, message):
    with pytest.raises(ValidationError) as caught:
        UNet1d.Options.model_validate({**SMALL, **options})
    assert [error["msg"] for error in caught.value.errors()] == [f"Value error, {message}"]


@pytest.mark.parametrize(
    ("options", "build_kwargs", "message"),
    [
        (
            {"context_injections": [1, 0, 0]},
            {},
            "unet1d: context_injections need a context, and this stage gives none",
        ),
        (
            {},
            {"context_channels": 3},
            "unet1d: to hear the context, set a context_injections to 1, or context_at_input",
        ),
        (
            {"cross_attentions": [1, 0, 0]},
            {},
            "unet1d: cross_attentions need a text, and this stage gives none",
        ),
        (
            {},
            {"text_features": 6},
            "unet1d: cross_attentions must be 1 at some depth, to hear the text",
        ),
    ],
)
def test_wiring_that_would_go_unheard_is_refused(options, build_kwargs, message):
    with pytest.raises(mk.RecipeError) as caught:
        built({**SMALL, **options}, **build_kwargs)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("text", "unet1d: needs a text of 6 features, but none came"),
        ("context", "unet1d: needs a context of 3 channels, but none came"),
    ],
)
def test_a_missing_condition_is_one_clear_line(missing, message):
    x, sigma, context, text = given()
    conditions = {"context": context, "text": text, missing: None}
    with pytest.raises(mk.MousaiError) as caught:
        everything()(x, sigma, **conditions)
    assert str(caught.value) == message


def test_a_condition_that_nothing_would_hear_is_refused():
    x, sigma, context, _ = given()
    with pytest.raises(mk.MousaiError) as caught:
        built(SMALL)(x, sigma, context=context)
    assert str(caught.value) == "unet1d: takes no context, but 3 came"
