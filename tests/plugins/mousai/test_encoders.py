"""The spectral encoders: the paper's size, lengths, bounds, and what they refuse."""

import math

import pytest
import torch
from pydantic import ValidationError

from mousai_kit_mousai.encoders import Magnitude, Mel

SMALL = {
    "channels": 8,
    "multipliers": [1, 2, 2],
    "factors": [2, 3],
    "blocks": [1, 1],
    "latent_channels": 4,
}
SPECTRA = [
    (Magnitude, {"n_fft": 63, "hop_length": 16}),
    (Magnitude, {"n_fft": 64, "hop_length": 16}),
    (Mel, {"n_fft": 64, "hop_length": 16, "mels": 8}),
    (Mel, {"n_fft": 128, "hop_length": 16, "mels": 8}),
]
every_encoder = pytest.mark.parametrize(("encoder", "spectrum"), SPECTRA)


def built(encoder, audio_channels=2, **options):
    torch.manual_seed(0)
    return encoder(
        encoder.Options.model_validate(options), audio_channels=audio_channels, sample_rate=48000
    )


def wave(batch=2, channels=2, length=960, scale=0.3):
    return scale * torch.randn(batch, channels, length, generator=torch.Generator().manual_seed(1))


def parameters(encoder):
    return sum(parameter.numel() for parameter in encoder.parameters())


def test_the_defaults_are_the_papers_encoder():
    with torch.device("meta"):
        encoder = built(Magnitude)
        latent = encoder(torch.empty(1, 2, 2**18))
    assert parameters(encoder) == 24_438_304
    assert encoder.downsampling == 1024
    assert latent.shape == (1, 32, 256)


def test_the_mel_defaults_are_the_authors_example():
    with torch.device("meta"):
        encoder = built(Mel)
        latent = encoder(torch.empty(1, 2, 2**18))
    assert parameters(encoder) == 21_355_872
    assert encoder.downsampling == 512
    assert latent.shape == (1, 32, 512)


@every_encoder
@pytest.mark.parametrize("frames", [1, 2, 10])
def test_a_latent_has_a_frame_per_downsampling_samples(encoder, spectrum, frames):
    made = built(encoder, **SMALL, **spectrum)
    assert made.downsampling == 96
    assert made(wave(length=96 * frames)).shape == (2, made.channels, frames)


@every_encoder
@torch.no_grad()
def test_the_latent_lies_between_minus_one_and_one_however_loud(encoder, spectrum):
    latent = built(encoder, **SMALL, **spectrum)(wave(scale=1000.0))
    assert latent.abs().max() <= 1
    assert latent.std() > 0.01


@every_encoder
@torch.no_grad()
def test_without_the_bottleneck_the_latent_is_the_tanh_of_nothing(encoder, spectrum):
    free = built(encoder, **SMALL, **spectrum, bottleneck="none")(wave())
    torch.testing.assert_close(free.tanh(), built(encoder, **SMALL, **spectrum)(wave()))


@every_encoder
def test_every_parameter_gets_a_gradient(encoder, spectrum):
    made = built(encoder, **SMALL, **spectrum)
    made(wave()).square().sum().backward()
    without = [name for name, p in made.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


@every_encoder
@torch.no_grad()
def test_silence_gives_a_finite_latent(encoder, spectrum):
    assert built(encoder, **SMALL, **spectrum)(torch.zeros(1, 2, 960)).isfinite().all()


@every_encoder
@torch.no_grad()
def test_items_of_a_batch_do_not_mix(encoder, spectrum):
    made = built(encoder, **SMALL, **spectrum)
    together, alone = made(wave(batch=3)), made(wave(batch=3)[1:2])
    torch.testing.assert_close(together[1:2], alone)


@every_encoder
def test_a_checkpoint_holds_learned_tensors_only(encoder, spectrum):
    made = built(encoder, **SMALL, **spectrum)
    assert set(made.state_dict()) == {name for name, _ in made.named_parameters()}


def test_a_sine_lights_the_mel_band_around_its_frequency():
    spectrum = built(Mel, audio_channels=1).spectrum
    time = torch.arange(48000) / 48000
    bands = spectrum(torch.sin(2 * math.pi * 3000 * time)[None, None])[0].mean(dim=1)
    highest = 2595 * math.log10(1 + 24000 / 700)
    expected = 2595 * math.log10(1 + 3000 / 700) / highest * 81 - 1
    assert abs(bands.argmax().item() - expected) < 1


@pytest.mark.parametrize(
    ("encoder", "options", "message"),
    [
        (
            Magnitude,
            {"factors": [2], "blocks": [1, 1]},
            (
                "blocks must be as many as factors, and multipliers one more "
                "(they have factors 1, blocks 2, multipliers 3)"
            ),
        ),
        (
            Magnitude,
            {"channels": 12},
            "channels times multipliers must be multiples of groups, 8 (got 12)",
        ),
        (
            Mel,
            {"hop_length": 255},
            (
                "n_fft must be hop_length or an even number of samples more, so that frames cover "
                "the wave evenly (got n_fft 1024, hop_length 255)"
            ),
        ),
    ],
)
def test_options_that_do_not_fit_together_are_refused_in_one_line(encoder, options, message):
    with pytest.raises(ValidationError) as caught:
        encoder.Options.model_validate(options)
    assert [error["msg"] for error in caught.value.errors()] == [f"Value error, {message}"]
