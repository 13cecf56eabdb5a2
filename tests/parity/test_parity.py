"""The authors' networks and ours, with the same weights, give the same results."""

import pytest
import torch
from comparing import (
    GRADIENTS,
    OUTPUTS,
    PROMPTS,
    SAMPLER,
    at_depth,
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
from small_models import AUTOENCODERS, ENCODER, GENERATORS, MEL, UNET


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.fixture(params=AUTOENCODERS)
def twins(request):
    """Return an autoencoder, the authors' with the same weights, the names, and audio."""
    spec = AUTOENCODERS[request.param]
    parts = {"encoder": spec["encoder"], "unet": spec["unet"], "sampler": SAMPLER}
    model, stage = autoencoder(channels=spec["channels"], **parts)
    theirs = theirs_of(model, stage)
    names = with_weights(model, stage, theirs.state_dict())
    return stage, theirs, names, torch.randn(2, spec["channels"], spec["samples"]) * 0.3


@pytest.fixture(params=GENERATORS)
def text_twins(request):
    """Return a generator, the authors' with the same weights, the names, and latents."""
    spec = GENERATORS[request.param]
    model, stage = generator(channels=spec["channels"], unet=spec["unet"], sampler=SAMPLER)
    theirs = theirs_of(model, stage)
    names = with_weights(model, stage, theirs.state_dict())
    return stage, theirs, names, torch.randn(2, spec["channels"], spec["frames"])


class TestAutoencoder:
    def test_latents_are_the_same(self, twins):
        stage, theirs, _, wave = twins
        assert error(*latents(stage, theirs, wave)) < OUTPUTS

    def test_velocities_are_the_same_at_every_call(self, twins):
        stage, theirs, _, wave = twins
        level = torch.rand(2)
        with torch.no_grad():
            latent = theirs.encode(wave)
            expected = theirs.net(wave, level, channels=at_depth(theirs, latent))
            velocity = stage.unet.bind(latent, None)
            assert error(velocity(wave, level), expected) < OUTPUTS
            assert error(velocity(wave, level), expected) < OUTPUTS

    def test_losses_and_all_gradients_are_the_same(self, twins, monkeypatch):
        stage, theirs, names, wave = twins
        ours, expected = losses(stage, theirs, wave, ["", ""], monkeypatch)
        ours.backward()
        expected.backward()
        assert error(ours, expected) < OUTPUTS
        assert worst_gradient(names, stage, theirs) < (GRADIENTS, "")

    def test_decoded_audio_is_the_same(self, twins):
        stage, theirs, _, wave = twins
        assert error(*decoded(stage, theirs, wave)) < OUTPUTS


class TestGenerator:
    def test_velocities_are_the_same_at_every_call(self, text_twins):
        stage, theirs, _, x = text_twins
        level, text = torch.rand(2), stage.text(PROMPTS)
        with torch.no_grad():
            expected = theirs.net(x, level, embedding=text.embedding)
            velocity = stage.unet.bind(None, text)
            assert error(velocity(x, level), expected) < OUTPUTS
            assert error(velocity(x, level), expected) < OUTPUTS

    def test_losses_and_all_gradients_are_the_same(self, text_twins, monkeypatch):
        stage, theirs, names, x = text_twins
        embedding = stage.text(PROMPTS).embedding
        ours, expected = losses(stage, theirs, x, PROMPTS, monkeypatch, embedding=embedding)
        ours.backward()
        expected.backward()
        assert error(ours, expected) < OUTPUTS
        assert worst_gradient(names, stage, theirs) < (GRADIENTS, "")

    def test_guided_samples_are_the_same(self, text_twins):
        stage, theirs, _, x = text_twins
        assert error(*guided(stage, theirs, x.shape[1:])) < OUTPUTS


@pytest.mark.parametrize("samples", [720, 75, 15])
def test_a_unet_without_conditioning_is_the_same(samples):
    spec = {**UNET, "transform": None, "context_injections": [], "factors": [1, 3, 5]}
    ours, theirs, _ = unet_twins(spec, channels=2)
    wave, level = torch.randn(2, 2, samples), torch.rand(2)
    with torch.no_grad():
        assert error(ours(wave, level), theirs(wave, level)) < OUTPUTS


@pytest.mark.parametrize("encoder", [ENCODER, MEL], ids=["magnitude", "mel"])
@pytest.mark.parametrize("samples", [1024, 1000, 333, 129])
def test_latents_of_any_length_that_the_authors_take_are_the_same(encoder, samples):
    unet = AUTOENCODERS["learned transform"]["unet"]
    model, stage = autoencoder(encoder=encoder, unet=unet)
    theirs = theirs_of(model, stage)
    with_weights(model, stage, theirs.state_dict())
    wave = torch.randn(2, 2, samples) * 0.3
    with torch.no_grad():
        assert error(stage.encoder(wave), theirs.encoder(wave)) < OUTPUTS
