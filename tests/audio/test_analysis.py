"""Loudness and measures: as the standard has them, whatever the pieces that audio comes in."""

from math import pi

import nano
import numpy as np
import pyloudnorm
import pytest
import soundfile

from mousai_kit.audio.analysis import AudioAnalyzer, LoudnessMeter, analyze_file
from mousai_kit.core.errors import AudioError


def sine(rate=48_000, seconds=5.0, hertz=997.0, channels=1):
    time = np.arange(round(seconds * rate)) / rate
    wave = np.sin(2 * pi * hertz * time).astype(np.float32)
    return np.repeat(wave[:, None], channels, axis=1)


def uneven(rate, channels, seconds=8):
    """Return noise whose level changes every second, over 60 dB."""
    random = np.random.default_rng(0)
    levels = np.repeat(10 ** random.uniform(-3, 0, seconds), rate)[:, None]
    return (random.normal(size=(seconds * rate, channels)) * levels).astype(np.float32)


def loudness(wave, rate, pieces=1):
    meter = LoudnessMeter(rate, wave.shape[1])
    for piece in np.array_split(wave, pieces):
        meter.add(piece)
    return meter.integrate()


def test_the_standards_sine_has_the_standards_loudness():
    silence = np.zeros_like(sine())
    own, mixed = loudness(np.hstack([sine(), silence]), 48_000)
    assert own == pytest.approx(-3.01, abs=0.005)
    assert mixed == pytest.approx(-9.03, abs=0.005)


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_loudness_is_what_pyloudnorm_measures_of_the_whole(rate, channels):
    wave = uneven(rate, channels)
    whole = pyloudnorm.Meter(rate, filter_class="DeMan").integrated_loudness(wave)
    assert loudness(wave, rate)[0] == pytest.approx(whole, abs=0.01)


def test_the_pieces_have_no_influence():
    wave = uneven(8_000, 2)
    assert loudness(wave, 8_000, 173) == pytest.approx(loudness(wave, 8_000), abs=1e-6)


def test_silence_around_music_does_not_count():
    wave = sine(8_000)
    padded = np.concatenate([wave, np.zeros((80_000, 1), np.float32)])
    assert loudness(padded, 8_000)[0] == pytest.approx(loudness(wave, 8_000)[0], abs=0.15)


def test_ten_decibels_are_ten_units_and_channels_add_up():
    assert loudness(sine() * 10**-0.5, 48_000)[0] == pytest.approx(-13.01, abs=0.01)
    assert loudness(sine(channels=2), 48_000)[0] == pytest.approx(0.0, abs=0.01)


def test_what_is_out_of_phase_is_loud_until_it_is_mixed():
    own, mixed = loudness(np.hstack([sine(), -sine()]), 48_000)
    assert own == pytest.approx(0.0, abs=0.01)
    assert mixed is None


@pytest.mark.parametrize("seconds", [0.01, 0.1, 0.35])
def test_audio_shorter_than_a_block_is_a_block(seconds):
    assert loudness(sine(seconds=seconds), 48_000)[0] == pytest.approx(-3, abs=1.5)


def test_silence_has_no_loudness():
    assert loudness(np.zeros((8_000, 2), np.float32), 8_000) == (None, None)


@pytest.mark.parametrize("rate", [1_000, 3_000, 4_000, 999_999])
def test_any_rate_that_a_file_may_have_can_be_measured(rate):
    assert loudness(sine(rate, seconds=1, hertz=300), rate)[0] == pytest.approx(-3, abs=2)


# a whole file


def write(path, wave, rate=8_000, **options):
    soundfile.write(path, wave, rate, **options)
    return path


def test_measures_say_what_a_file_is_like(tmp_path):
    wave = np.concatenate([sine(8_000, 2) / 2, np.zeros((8_000, 1), np.float32)])
    found = analyze_file(write(tmp_path / "a.flac", wave))
    assert (found.sample_rate, found.channels, found.frames) == (8_000, 1, 24_000)
    assert (found.encoding, found.seconds) == ("FLAC PCM_16", 3.0)
    assert found.peak == pytest.approx(0.5, abs=1e-4)
    assert found.silent == pytest.approx(1 / 3, abs=0.01)
    assert found.clipped == 0


def test_content_is_the_same_in_another_format_and_with_other_tags(tmp_path):
    wave = (uneven(8_000, 2, seconds=12) * 4_000).clip(-32_768, 32_767).astype(np.int16)
    flac = analyze_file(write(tmp_path / "a.flac", wave))
    wav = analyze_file(write(tmp_path / "a.wav", wave))
    assert flac.content == wav.content
    wave[30_000, 1] += 1
    other = analyze_file(write(tmp_path / "b.flac", wave))
    assert other.content != flac.content
    assert other.shape == flac.shape != ""


def test_the_same_samples_at_another_rate_or_in_other_channels_are_other_music(tmp_path):
    wave = sine(8_000, 1, channels=2)
    one = analyze_file(write(tmp_path / "a.wav", wave))
    faster = analyze_file(write(tmp_path / "b.wav", wave, 16_000))
    mono = analyze_file(write(tmp_path / "c.wav", wave.reshape(-1)))
    assert len({one.content, faster.content, mono.content}) == 3


def test_clipping_is_three_samples_in_a_row_at_full_scale():
    measuring = AudioAnalyzer(8_000, 1)
    wave = np.zeros((1_000, 1), np.float32)
    wave[10:12] = 1.0
    measuring.add(wave)
    assert measuring.result().clipped == 0
    wave[20:25] = -1.0
    wave[30:33] = 0.9995
    measuring.add(wave)
    assert measuring.result().clipped == 8 / 2_000


@pytest.mark.parametrize("suffix", [".mp3", ".ogg", ".opus"])
def test_a_lossy_file_is_read_in_one_go(tmp_path, suffix):
    """What is measured second by second is what one read gives, which seeking would not."""
    kind = {"format": "OGG", "subtype": "OPUS"} if suffix == ".opus" else {}
    path = write(tmp_path / f"a{suffix}", uneven(48_000, 2) / 8, 48_000, **kind)
    whole = AudioAnalyzer(48_000, 2)
    whole.add(soundfile.read(path, dtype="float32", always_2d=True)[0])
    assert analyze_file(path).content == whole.result().content


def test_a_file_that_is_cut_short(tmp_path):
    path = write(tmp_path / "a.mp3", uneven(8_000, 1) / 8)
    nano.cut(path)
    with pytest.raises(AudioError, match=r"^.*/a\.mp3: is cut short at [34]\.\d\d s; its header"):
        analyze_file(path)


def test_a_file_that_is_not_finite(tmp_path):
    wave = sine(8_000)
    wave[30_000] = np.inf
    path = write(tmp_path / "a.wav", wave, subtype="FLOAT")
    with pytest.raises(AudioError) as caught:
        analyze_file(path)
    told = "holds samples that are not finite (NaN or infinity); leave it out"
    assert str(caught.value) == f"{path}: {told}"
