"""The paper's networks and those of the authors' README, at full size, over short signals."""

import gc

import pytest
import torch
from comparing import (
    GRADIENTS,
    OUTPUTS,
    PROMPTS,
    SAMPLER,
    decoded,
    error,
    guided,
    latents,
    losses,
    worst_gradient,
)
from reference_models import (
    autoencoder,
    generator,
    theirs_of,
    unet_twins,
    with_weights,
)

from mousai_kit_mousai.text_to_latent import PAPERS_UNET

pytestmark = pytest.mark.xdist_group("one at a time: up to 10 GB")

README = {
    "use": "unet1d",
    "transform": None,
    "channels": [8, 32, 64, 128, 256, 512, 512, 1024, 1024],
    "factors": [1, 4, 4, 4, 2, 2, 2, 2, 2],
    "blocks": [1, 2, 2, 2, 2, 2, 2, 4, 4],
    "context_injections": [],
}
ATTENTIVE = {"attentions": [0] * 5 + [1] * 4, "attention_heads": 8, "attention_features": 64}


@pytest.fixture(autouse=True)
def _alone():
    torch.manual_seed(0)
    yield
    gc.collect()


def check_training(model, stage, signal, prompts, monkeypatch, **theirs):
    """Compare loss and gradients; return the authors' model, and how many parameters it has."""
    reference = theirs_of(model, stage)
    names = with_weights(model, stage, reference.state_dict())
    ours, expected = losses(stage, reference, signal, prompts, monkeypatch, **theirs)
    assert error(ours, expected) < OUTPUTS
    ours.backward()
    expected.backward()
    assert worst_gradient(names, stage, reference) < (GRADIENTS, "")
    stage.zero_grad()
    reference.zero_grad()
    return reference, sum(parameter.numel() for parameter in reference.parameters())


def test_the_papers_autoencoder(monkeypatch):
    model, stage = autoencoder(sampler=SAMPLER)
    wave = torch.randn(2, 2, 8192) * 0.3
    theirs, size = check_training(model, stage, wave, ["", ""], monkeypatch)
    assert round(size / 1e6, 3) == 185.108
    assert error(*latents(stage, theirs, wave)) < OUTPUTS
    assert error(*decoded(stage, theirs, wave)) < OUTPUTS


def test_the_papers_generator(monkeypatch):
    model, stage = generator(unet=PAPERS_UNET, tokens=64, features=768, sampler=SAMPLER)
    x, embedding = torch.randn(2, 32, 64), stage.text(PROMPTS).embedding
    theirs, size = check_training(model, stage, x, PROMPTS, monkeypatch, embedding=embedding)
    assert round(size / 1e6, 1) == 562.6
    assert error(*guided(stage, theirs, x.shape[1:])) < OUTPUTS


def test_the_readmes_autoencoder(monkeypatch):
    unet = {**README, "context_injections": [0, 0, 0, 0, 0, 0, 1, 0, 0]}
    model, stage = autoencoder(encoder="mel", unet=unet)
    wave = torch.randn(2, 2, 8192) * 0.3
    _, size = check_training(model, stage, wave, ["", ""], monkeypatch)
    assert round(size / 1e6, 1) == 197.9


def test_the_readmes_text_conditional_generator(monkeypatch):
    unet = {**README, **ATTENTIVE, "cross_attentions": [0, 0, 0, 1, 1, 1, 1, 1, 1]}
    model, stage = generator(channels=2, unet=unet, tokens=64, features=768)
    wave, embedding = torch.randn(2, 2, 8192), stage.text(PROMPTS).embedding
    check_training(model, stage, wave, PROMPTS, monkeypatch, embedding=embedding)


def test_the_readmes_unconditional_generator():
    ours, theirs, _ = unet_twins({**README, **ATTENTIVE}, channels=2)
    wave, level = torch.randn(2, 2, 8192), torch.rand(2)
    with torch.no_grad():
        assert error(ours(wave, level), theirs(wave, level)) < OUTPUTS
