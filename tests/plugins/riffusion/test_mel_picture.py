"""Mel pictures: the published parameters, what comes back of a sound, and what is refused."""

from functools import cache

import pytest
import torch
from pydantic import ValidationError

import mousai_kit.api as mk
from mousai_kit.testing.signals import chords, loudness, white
from mousai_kit_riffusion.mel_picture import MelPicture
from mousai_kit_riffusion.mel_spectrum import MelSettings, MelSpectrum

RATE = 8000
SMALL = {"bands": 64, "highest": 4000.0}


def domain(*, rate=RATE, channels=1, **options):
    return mk.build(
        mk.Domain, {"use": "mel-picture", **options}, audio_channels=channels, sample_rate=rate
    )


@cache
def published():
    return MelSpectrum(MelSettings(44_100))


class TestPublishedParameters:
    def test_frames_are_10_ms_apart_100_ms_long_and_padded_to_400_ms(self):
        settings = published().settings
        assert (settings.hop, settings.window, settings.n_fft) == (441, 4410, 17_640)

    def test_filters_are_torchaudios_on_htks_scale_without_a_norm(self):
        spectrum = published()
        expected = mk.torchaudio.functional.melscale_fbanks(
            8821, 0.0, 10_000.0, 512, 44_100, norm=None, mel_scale="htk"
        ).T
        bins = spectrum.mel_filters.shape[1]
        assert bins == 4000
        found = torch.nn.functional.pad(spectrum.mel_filters, (0, 8821 - bins))
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)

    def test_magnitudes_are_torchaudios(self):
        wave = chords(1, 1, 44_100)
        transforms = mk.torchaudio.transforms
        plain = transforms.Spectrogram(17_640, 4410, 441, power=1.0)
        mel = transforms.MelScale(512, 44_100, 0.0, 10_000.0, 8821, norm=None, mel_scale="htk")
        expected, found = mel(plain(wave))[..., :100], published().magnitudes(wave)
        inside = slice(5, -5)  # at the ends torchaudio mirrors the wave
        torch.testing.assert_close(found[..., inside], expected[..., inside], atol=0.02, rtol=1e-3)


def test_what_is_played_looks_like_the_picture():
    made = domain(**SMALL)
    x = made(chords(2, 1, RATE) + 0.05 * white(2, 1, RATE))
    again = made(made.inverse(x, RATE))
    inside = slice(5, -5)
    assert loudness((again - x)[..., inside]) < 0.1 * loudness(x[..., inside])


def test_a_tone_comes_back_at_its_pitch():
    made = domain(**SMALL | {"bands": 256})
    moments = torch.arange(RATE) / RATE
    wave = torch.sin(2 * torch.pi * 440 * moments)[None, None]
    back = made.inverse(made(wave), RATE)
    spectrum = torch.fft.rfft(back[0, 0]).abs()
    assert abs(int(spectrum.argmax()) - 440) <= 4


def test_channels_stand_one_after_the_other():
    made = domain(channels=2, **SMALL)
    wave = torch.stack([chords(1, 1, RATE)[:, 0], torch.zeros(1, RATE)], 1)
    left, right = made(wave).chunk(2, 1)
    assert left.mean() > right.mean()
    assert right.unique().numel() == 1


def test_long_audio_in_pieces_is_the_whole_to_the_last_iteration():
    made = domain(bands=16, highest=4000.0, window=20.0, iterations=3)
    assert made.context_frames == 10
    x = made(chords(1, 1, RATE))
    whole = made.inverse(x, RATE)
    pieces = torch.cat([*made.stream(x.split(30, -1), RATE)], -1)
    assert loudness(pieces - whole) < 1e-4 * loudness(whole)


def test_fewer_bins_for_griffin_lim_sound_nearly_alike():
    wave = chords(1, 1, RATE)
    pictures = []
    for padding in (4, 1):
        made = domain(**SMALL, playback_padding=padding)
        pictures.append(made(made.inverse(made(wave), RATE))[..., 5:-5])
    fine, coarse = pictures
    assert loudness(fine - coarse) < 0.1 * loudness(fine)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {},
            (
                "mel-picture: audio at 8000 Hz ends at 4000 Hz; set `highest` to that or "
                "less (got 10000)"
            ),
        ),
        (
            {"highest": 4000.0, "padding": 1},
            (
                "mel-picture: 47 of 512 bands lie between two bins of the STFT; take fewer "
                "`bands`, or a longer `window` or `padding`"
            ),
        ),
    ],
)
def test_what_the_audio_does_not_have_is_refused(options, told):
    with pytest.raises(mk.RequestError) as refused:
        domain(**options)
    assert str(refused.value) == told


def test_without_a_rate_there_is_no_scale():
    with pytest.raises(mk.RequestError) as refused:
        mk.build(mk.Domain, "mel-picture", audio_channels=1)
    assert str(refused.value) == "mel-picture: must be told the audio's sample rate"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {"lowest": 5000.0, "highest": 4000.0},
            "lowest must be below highest (got 5000 and 4000)",
        ),
        (
            {"hop": 60.0},
            (
                "windows must overlap by half or more: set hop to half of window at most "
                "(got 60 and 100)"
            ),
        ),
        ({"playback_padding": 3}, "playback_padding must divide padding (got 3 and 4)"),
    ],
)
def test_options_that_do_not_go_together_are_told(options, told):
    with pytest.raises(ValidationError) as refused:
        MelPicture.Options(**options)
    (problem,) = refused.value.errors()
    assert problem["msg"] == f"Value error, {told}"
