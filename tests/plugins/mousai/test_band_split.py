"""Log power at two resolutions, and the encoder that begins with its principal components."""

from math import log, pi

import pytest
import torch

import mousai_kit.api as mk
from mousai_kit.testing.signals import chords, white
from mousai_kit_mousai.band_split import BandSplit
from mousai_kit_mousai.layers.band_split import (
    FLOOR,
    STEREO,
    BandSplitSpectrum,
    SpectrumOptions,
    ramps,
)

RATE, HOP, LOW, HIGH = 48_000, 1024, 4096, 1024
SMALL = {"low": 256, "high": 64, "hop": 64, "bands": 6, "stereo_bands": 4, "channels": 16}

WINDOWS = (
    "frames of {} samples need a `low` window of at least twice as many (got {}) and a quarter of "
    "`high` that divides them (got 16)"
)
CROSSOVER = (
    "a `crossover` of 100 Hz leaves nothing below it: at 8000 Hz the windows `low` and `high` tell "
    "125 Hz and more"
)


def spectrum(*, audio_channels=2, sample_rate=RATE):
    options = SpectrumOptions(low=LOW, high=HIGH, crossover=5000.0, bands=40, stereo_bands=24)
    return BandSplitSpectrum(
        options, audio_channels=audio_channels, sample_rate=sample_rate, hop=HOP
    )


def encoder(*, audio_channels=1, sample_rate=8000, **options):
    torch.manual_seed(0)
    spec = {"use": "band-split", **SMALL, **options}
    return mk.build(
        mk.SpectralEncoder, spec, audio_channels=audio_channels, sample_rate=sample_rate
    )


def sine(hertz, frames=20, channels=1):
    moments = torch.arange(frames * HOP) / RATE
    return (2 * pi * hertz * moments).sin().expand(1, channels, -1)


@pytest.mark.parametrize("hertz", [60.0, 440.0, 3000.0])
def test_a_sine_lands_in_its_bin(hertz):
    shown = spectrum(audio_channels=1)
    low, high = shown.split(shown(sine(hertz)))
    middle = low[0, :, 10]
    assert middle.argmax() + 1 == round(hertz / RATE * LOW)
    assert middle.max() - middle.median() > 15
    assert high.max() < middle.max() - 10


def test_a_high_sine_lands_in_its_band():
    shown = spectrum(audio_channels=1)
    low, high = shown.split(shown(sine(9000.0)))
    (band,) = high[0, :, 40:41].argmax(0)
    place = 9000 / RATE * HIGH
    assert shown.edges[band] <= place < shown.edges[band + 1]
    assert low[..., 10].max() < high.max() - 10


def test_a_click_lands_in_its_moment():
    shown = spectrum(audio_channels=1)
    wave = torch.zeros(1, 1, 20 * HOP)
    at = 10 * HOP + HIGH // 2
    wave[..., at] = 1
    _, high = shown.split(shown(wave))
    assert high.shape[-1] == 20 * shown.parts
    loud = high.exp()[0].mean(0) > 10 * FLOOR
    moments = loud.nonzero().flatten() * HIGH // 4
    assert high[0].mean(0).argmax() * HIGH // 4 == at
    assert ((moments - at).abs() < HIGH // 2).all()


@pytest.mark.parametrize("rate", [8000, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_white_noise_of_unit_variance_has_log_power_of_about_0(channels, rate):
    shown = spectrum(audio_channels=channels, sample_rate=rate)
    left = white(1, 1, 200 * HOP).expand(1, channels, -1)
    low, high, *_ = shown.split(shown(left)[..., 2:-2])
    for power in (low.exp().mean(), high.exp().mean()):
        assert power.log().abs() < 0.05
    assert low.mean() == pytest.approx(-0.577, abs=0.05)  # of an exponential distribution


def test_silence_lies_at_the_floor():
    shown = spectrum()
    low, high, level, likeness = shown.split(shown(torch.zeros(1, 2, 4 * HOP)))
    for power in (low, high):
        torch.testing.assert_close(power, torch.full_like(power, log(FLOOR)))
    assert not level.any()
    assert not likeness.any()


@pytest.mark.parametrize(
    ("left", "right", "level", "likeness"),
    [(1, 1, -7, 0), (1, 0, 0, 1), (0, 1, 0, -1), (1, 0.5, 2 * log(1 / 3), 1)],
)
def test_a_panned_sound_has_its_level_and_likeness(left, right, level, likeness):
    shown = spectrum()
    wave = white(1, 1, 12 * HOP) * torch.tensor([left, right])[:, None]
    _, _, levels, likenesses = shown.split(shown(wave))
    assert levels.mean() == pytest.approx(level, abs=0.01)
    assert likenesses.mean() == pytest.approx(likeness, abs=0.01)


def test_channels_that_have_nothing_in_common_have_no_likeness():
    shown = spectrum()
    _, _, level, likeness = shown.split(shown(white(1, 2, 200 * HOP)))
    assert level.mean() == pytest.approx(0, abs=0.1)
    assert likeness[:, 8:].mean().abs() < 0.05


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
@pytest.mark.parametrize("channels", [1, 2, 4])
def test_importance_is_1_for_the_mid_and_stereo_beside_it(channels, rate):
    shown = spectrum(audio_channels=channels, sample_rate=rate)
    importance = shown.channel_weights()
    assert importance.shape == (shown.features,)
    assert (importance > 0).all()
    assert importance.sum() == pytest.approx(1 + (2 * STEREO if channels == 2 else 0), abs=1e-4)


def test_an_octave_of_middle_notes_counts_more_than_one_of_overtones():
    importance = spectrum(audio_channels=1).channel_weights()
    hertz = torch.arange(1, 428) * RATE / LOW
    octaves = [importance[:427][(hertz >= f) & (hertz < 2 * f)].sum() for f in (60, 500, 2000)]
    assert octaves == sorted(octaves)  # as on a mel scale, which is linear below 700 Hz
    assert octaves[2] < 4 * octaves[1]


def test_lowered_precision_leaves_what_is_told_as_it_is():
    shown = spectrum()
    wave = white(1, 2, 8 * HOP)
    with torch.autocast("cpu", torch.bfloat16):
        lowered = shown(wave)
    assert torch.equal(lowered, shown(wave))


def test_ramps_draw_straight_lines_through_the_middles_of_bands():
    edges = [2, 4, 8, 10]
    matrix = ramps(edges)
    torch.testing.assert_close(matrix.sum(1), torch.ones(8))
    middles = torch.tensor([3.0, 6.0, 9.0])
    drawn = matrix @ middles
    torch.testing.assert_close(drawn, (torch.arange(2, 10) + 0.5).clamp(3, 9))
    assert torch.equal(ramps([5, 9]), torch.ones(4, 1))


class TestEncoder:
    def test_its_latents_are_principal_components_before_training(self):
        made = encoder(latent_channels=8)
        waves = chords(24, 1, 2048) + 0.1 * white(24, 1, 2048)
        made.fit_statistics(iter(waves.split(1)))
        with torch.no_grad():
            inner = made(waves).atanh().transpose(1, 2).flatten(0, 1) / 0.15
        torch.testing.assert_close(inner.mean(0), torch.zeros(8), atol=0.02, rtol=0)
        torch.testing.assert_close(inner.T @ inner / len(inner), torch.eye(8), atol=0.05, rtol=0)

    def test_unheard_music_lies_nearer_to_its_like(self):
        """Neighbours of a chord's latent, heard at another moment, are latents of that chord."""
        made = encoder(latent_channels=8)
        waves = chords(16, 1, 4096) + 0.02 * white(16, 1, 4096)
        made.fit_statistics(waves.split(1))
        with torch.no_grad():
            first, later = (made(part).mean(2) for part in (waves[..., :2048], waves[..., 2048:]))
        assert torch.equal(torch.cdist(later, first).argmin(1), torch.arange(16))

    def test_more_channels_than_features_are_silent_ones(self):
        made = encoder(latent_channels=400)
        waves = chords(4, 1, 2048) + 0.1 * white(4, 1, 2048)
        made.fit_statistics(waves.split(1))
        latent = made(waves)
        assert latent.shape == (4, 400, 32)
        assert (latent.abs().amax((0, 2)) > 0).sum() <= made.spectrum.features

    def test_surround_is_heard_as_the_mean_of_its_channels(self):
        made = encoder(audio_channels=4)
        waves = white(2, 4, 512)
        torch.testing.assert_close(made(waves), made(waves.mean(1, keepdim=True).expand(2, 4, -1)))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"hop": 200}, WINDOWS.format(200, 256)),
        ({"low": 96}, WINDOWS.format(64, 96)),
        ({"crossover": 100.0}, CROSSOVER),
    ],
)
def test_windows_that_do_not_go_together_are_refused(options, told):
    with pytest.raises(mk.PluginError) as refused:
        encoder(**options)
    assert str(refused.value) == told


def test_a_crossover_at_the_lowest_bin_is_taken():
    made = encoder(crossover=125.0)
    assert made(chords(1, 1, 1024)).isfinite().all()
    assert BandSplit.Options().crossover == 5000
