"""The autoencoder: what it learns from, that its posterior is one, and a game against it."""

import nano
import pytest
import torch
from torch.distributions import Normal, kl_divergence

import mousai_kit.api as mk
from mousai_kit.core.interfaces import NoiseSource
from mousai_kit.testing.signals import chords
from mousai_kit.training.run import train_run
from mousai_kit_stable_audio.autoencoder import Posterior
from mousai_kit_stable_audio.spectral_loss import multi_resolution_stft

OOBLECK = {"channels": 4, "multipliers": [1, 2], "factors": [4, 4]}
SPEC = {
    "use": "variational-autoencoder",
    "encoder": {"use": "oobleck", **OOBLECK, "latent_channels": 4, "bottleneck": "none"},
    "decoder": OOBLECK,
    "windows": [64, 256],
}
ADVERSARY = {"windows": [64, 128], "channels": 4}
AUDIO = mk.SignalSpace(channels=2, stride=1, sample_rate=8000)


@pytest.fixture
def stage(build):
    """Return a function that builds the stage, with changes."""

    def built(**changes):
        return build(mk.Stage, SPEC | changes, input_space=AUDIO)

    return built


def music(clips=2, samples=512):
    return chords(clips, 2, samples)


def losses(stage, wave, condition="training", seed=0):
    noise = NoiseSource(range(seed, seed + len(wave)))
    return stage.loss(wave, [""] * len(wave), noise=noise, condition=condition)


def test_the_divergence_is_that_of_two_normal_distributions():
    posterior = Posterior.of(torch.randn(3, 8, 5))
    found = kl_divergence(Normal(posterior.mean, posterior.deviation), Normal(0.0, 1.0))
    torch.testing.assert_close(posterior.divergence(), found.sum(1).mean(1))


def test_a_latent_is_drawn_with_the_posteriors_mean_and_deviation():
    posterior = Posterior.of(torch.randn(1, 4, 3))
    many = torch.stack([posterior.sample(NoiseSource([seed])) for seed in range(4000)])
    torch.testing.assert_close(many.mean(0), posterior.mean, atol=0.1, rtol=0)
    torch.testing.assert_close(many.std(0), posterior.deviation, atol=0.1, rtol=0.1)


def test_noise_is_drawn_in_training_alone(stage):
    made = stage()
    assert not torch.equal(losses(made, music()), losses(made, music(), seed=9))
    for condition in ("right", "other", "none"):
        first, second = (losses(made, music(), condition, seed) for seed in (0, 9))
        assert torch.equal(first, second), condition


def test_the_mean_is_what_it_encodes(stage):
    made, wave = stage(), music()
    mean, _ = made.encoder(wave).chunk(2, 1)
    assert torch.equal(made.encode(wave), mean)


def test_where_a_sound_stands_counts():
    """Left and right apart have the same spectra; their difference has not."""
    wave = music(1, 1024)
    turned = torch.stack([wave[:, 0], -wave[:, 1]], 1)
    assert multi_resolution_stft(turned, wave, [128]).item() > 0.5
    assert multi_resolution_stft(wave, wave, [128]).item() == 0
    assert multi_resolution_stft(-wave, wave, [128]).item() < 1e-6


def test_a_new_posterior_is_sure_of_itself(stage):
    """Else its noise drowns what the encoder says, and the decoder learns to be deaf."""
    made = stage()
    posterior = Posterior.of(made.encoder(music()))
    assert posterior.deviation.max() < 0.5 * posterior.mean.std()


class TestTheAdversary:
    def test_there_is_none_by_default(self, stage):
        assert stage().adversary is None
        assert not [name for name in stage().state_dict() if "adversary" in name]

    def test_it_is_asked_in_training_alone(self, stage):
        made, plain = stage(adversary=ADVERSARY), stage()
        assert torch.equal(losses(made, music(), "right"), losses(plain, music(), "right"))
        assert not torch.equal(losses(made, music()), losses(plain, music()))

    def test_each_gradient_goes_to_its_own_side(self, stage):
        adversary, wave = stage(adversary=ADVERSARY).adversary, music()
        made = (0.3 * torch.randn(wave.shape)).requires_grad_()
        adversary(made, wave).sum().backward()
        own = [parameter.grad.clone() for parameter in adversary.parameters()]
        adversarys = sum(
            (1 - network(wave)[0]).relu().flatten(1).mean(1)
            + (1 + network(made.detach())[0]).relu().flatten(1).mean(1)
            for network in adversary.networks
        )
        alone = torch.autograd.grad(adversarys.sum() / 2, [*adversary.parameters()])
        for found, expected in zip(own, alone, strict=True):
            torch.testing.assert_close(found, expected)
        assert made.grad.abs().sum() > 0

    def test_it_learns_to_tell_what_is_made(self, stage):
        adversary, wave = stage(adversary=ADVERSARY).adversary, music()
        made = 0.3 * torch.randn(wave.shape)
        optimizer = torch.optim.Adam(adversary.parameters(), lr=1e-3)
        for _ in range(60):
            optimizer.zero_grad()
            adversary(made, wave).sum().backward()
            optimizer.step()
        assert adversary.verdicts(wave).min() > 0 > adversary.verdicts(made).max()

    def test_what_it_learned_moves_the_autoencoder_towards_music(self, stage):
        """Down its gradient what is made counts more as music."""
        adversary, wave = stage(adversary={**ADVERSARY, "features": 0.0}).adversary, music()
        made = (0.3 * torch.randn(wave.shape)).requires_grad_()
        before = adversary.verdicts(made.detach())
        adversary(made, wave).sum().backward()
        step = made.detach() - 0.1 * made.grad / made.grad.norm()
        assert (adversary.verdicts(step) > before).all()


class TestWhatDoesNotFit:
    def test_an_odd_number_of_channels(self, stage):
        encoder = SPEC["encoder"] | {"latent_channels": 5}
        with pytest.raises(mk.MousaiError) as caught:
            stage(encoder=encoder)
        assert str(caught.value) == (
            "encoder: must have an even number of channels, half of them means and half "
            "deviations (got 5)"
        )

    def test_a_decoder_of_another_stride(self, stage):
        with pytest.raises(mk.MousaiError) as caught:
            stage(decoder=OOBLECK | {"factors": [4, 2]})
        assert str(caught.value) == (
            "decoder: its factors must make as many samples of a frame as the encoder takes for "
            "one (got 8, the encoder's 16)"
        )

    def test_a_stage_below(self, build):
        with pytest.raises(mk.PluginError) as caught:
            build(mk.Stage, SPEC, input_space=mk.SignalSpace(2, 16, 8000))
        told = "variational-autoencoder encodes audio: it must be the lowest stage"
        assert str(caught.value) == told

    def test_no_latents(self, stage):
        with pytest.raises(mk.RequestError) as caught:
            stage().decode(None, mk.GenerationRequest([""], [0], 64))
        assert str(caught.value) == (
            "variational-autoencoder needs latents; a recipe that generates has a stage above it"
        )


@pytest.mark.parametrize("adversary", ["null", "{windows: [64], channels: 4}"])
def test_it_stands_in_a_recipe_trains_and_plays(here, adversary):
    import small_stable_audio as small

    text = small.RECIPE.replace(
        "text: {use: t5, features: 32, tokens: 16}",
        "text: {use: t5-scratch, features: 16, layers: 1, heads: 2, feed_forward: 16}",
    ).replace("windows: [64, 256]", f"windows: [64, 256]\n      adversary: {adversary}")
    system = nano.system(text=text)
    train_run(system)
    cascade = system.load().cascade
    assert cascade.stages["autoencoder"].name == "variational-autoencoder"
    made = cascade.generate_signal(mk.GenerationRequest(["low saw chord"], [3], 4000))
    assert made.shape == (1, 2, 4000)
    assert made.isfinite().all()
