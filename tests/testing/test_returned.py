"""What returns the wrong thing is told so by every rule that asks for it."""

import pytest
import torch
from planted_coder import Coder
from planted_sampler import Healthy as Sampler
from planted_spectral_encoder import Healthy as SpectralEncoder
from planted_text_encoder import Healthy as TextEncoder
from planted_unet import Healthy as UNet

import mousai_kit.api as mk
from mousai_kit.testing import (
    SamplerContract,
    SpectralEncoderContract,
    StageContract,
    TextEncoderContract,
    UNetContract,
)

TEXT = "forward must return mk.TextEmbedding(embedding, mask)"
FITTING = f"{TEXT}, embedding [b, n, d] and mask [b, n]"


def wrong(healthy, method, change):
    """Return a component whose method returns what `change` makes of the right thing."""

    def changed(self, *given, **told):
        return change(getattr(healthy, method)(self, *given, **told))

    return type("Wrong", (healthy,), {method: changed, "__doc__": "Returns the wrong thing."})


def said(contract, component, rule, **settings):
    """Return the first line of a rule's failure."""
    suite = type("TestMine", (contract,), {"component": component, **settings})
    with pytest.raises(AssertionError) as failed:
        getattr(suite(), rule)()
    return str(failed.value).split("\n", 1)[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda it: (it.embedding, it.mask), f"{TEXT} (got tuple)"),
        (
            lambda it: mk.TextEmbedding(it.embedding.tolist(), it.mask),
            f"{TEXT}, embedding a tensor [b, n, d] (got list)",
        ),
        (
            lambda it: mk.TextEmbedding(it.embedding, None),
            f"{TEXT}, mask a tensor [b, n] (got NoneType)",
        ),
        (
            lambda it: mk.TextEmbedding(it.embedding[:1], it.mask),
            f"{FITTING} (got [1, 24, 8] and [4, 24] for 4 prompts)",
        ),
        (
            lambda it: mk.TextEmbedding(it.embedding.mean(2), it.mask),
            f"{FITTING} (got [4, 24] and [4, 24] for 4 prompts)",
        ),
    ],
)
@pytest.mark.parametrize(
    "rule",
    [
        "test_every_parameter_gets_a_gradient",
        "test_prompts_may_be_any_sequence",
        "test_different_prompts_have_different_encodings",
    ],
)
def test_a_text_encoder_is_told_what_a_text_is(change, message, rule):
    if rule == "test_prompts_may_be_any_sequence":
        message = message.replace("[4, 24]", "[2, 24]").replace("for 4", "for 2")
    found = said(TextEncoderContract, wrong(TextEncoder, "forward", change), rule)
    assert found == message


@pytest.mark.parametrize(
    ("contract", "healthy", "message"),
    [
        (
            SpectralEncoderContract,
            SpectralEncoder,
            "forward must return latents, a tensor [b, channels, t] (got tuple)",
        ),
        (UNetContract, UNet, "forward must return v, a tensor of x's shape (got tuple)"),
    ],
)
def test_a_network_is_told_that_it_returns_a_tensor(contract, healthy, message):
    component = wrong(healthy, "forward", lambda it: (it, it))
    for rule in ("test_every_parameter_gets_a_gradient", "test_items_of_a_batch_do_not_mix"):
        assert said(contract, component, rule) == message


def test_a_sampler_is_told_that_it_returns_a_tensor():
    component = wrong(Sampler, "sample", lambda it: [it])
    found = said(SamplerContract, component, "test_any_shape_and_type_is_kept")
    assert found == "sample must return a tensor of the noise's shape (got list)"


@pytest.mark.parametrize(
    ("method", "change", "rule", "message"),
    [
        (
            "loss",
            torch.mean,
            "test_what_it_is_given_is_left_as_it_was",
            "loss must return a tensor [b], a loss per clip (got [] for 3 clips)",
        ),
        (
            "loss",
            lambda it: {"loss": it},
            "test_what_it_is_given_is_left_as_it_was",
            "loss must return a tensor [b], a loss per clip (got dict)",
        ),
        (
            "encode",
            lambda it: (it, {}),
            "test_a_clip_is_encoded_alike_alone_and_in_a_batch",
            "encode must return latents, a tensor [b, latent_space.channels, frames] (got tuple)",
        ),
        (
            "decode",
            lambda it: None,
            "test_any_length_can_be_made",
            "decode must return signals, a tensor [b, input_space.channels, frames] (got NoneType)",
        ),
    ],
)
def test_a_stage_is_told_what_it_returns(method, change, rule, message):
    component = wrong(Coder, method, change)
    input_space = mk.SignalSpace(channels=2, stride=1, sample_rate=8000)
    suite = type("TestMine", (StageContract,), {"component": component, "input_space": input_space})
    with pytest.raises(AssertionError) as failed:
        getattr(suite(), rule)(*([37] if rule == "test_any_length_can_be_made" else []))
    assert str(failed.value).split("\n", 1)[0] == message
