"""Loudness: a meter's figures, lines through points, and what is wrong with either."""

import math

import pytest
import soundfile
import torch
from pydantic import ValidationError

import mousai_kit.api as mk
from mousai_kit_conditioning.loudness import Loudness

RATE = 48_000


def loudness(rate=RATE):
    space = mk.SignalSpace(channels=8, stride=1024, sample_rate=rate)
    return Loudness(Loudness.Options(), space=space, text_features=64)


def sine(seconds=3.0, gain=1.0, channels=2, rate=RATE):
    """Return a sine of 997 Hz: in two channels at full scale, 0 LUFS by the standard."""
    t = torch.arange(round(seconds * rate)) / rate
    return (gain * torch.sin(2 * math.pi * 997 * t)).repeat(channels, 1)


def lufs(wave, rate=RATE):
    """Return the loudness [n] that a clip's data tells, in LUFS."""
    data = loudness(rate).from_clip(mk.Clip(wave, ""))
    assert data.dtype == torch.float32
    return 30 * data[0] - 30


@pytest.mark.parametrize("gain", [0.0, -14.0, -40.0])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_sine_is_as_loud_as_the_standard_says(gain, channels):
    # the first frames are the filter's beginning
    made = lufs(sine(gain=10 ** (gain / 20), channels=channels))[3:]
    assert made == pytest.approx(torch.full_like(made, gain), abs=0.1)


def test_deep_sound_counts_less_than_high_sound():
    t = torch.arange(RATE) / RATE
    deep, high = ((0.3 * torch.sin(2 * math.pi * hertz * t)).repeat(2, 1) for hertz in (30, 4000))
    assert lufs(high)[5] - lufs(deep)[5] == pytest.approx(12.2, abs=1)


def test_silence_is_the_floor():
    data = loudness().from_clip(mk.Clip(torch.zeros(2, RATE), ""))
    assert torch.equal(data, torch.full((1, 10), -1.0))


@pytest.mark.parametrize("samples", [1, 4800, 4801, 100_000])
def test_frames_are_as_many_as_tenths_of_a_second_begun(samples):
    assert lufs(sine()[:, :samples]).shape == (-(-samples // 4800),)


def test_a_last_frame_that_is_cut_is_as_loud_as_the_others():
    made = lufs(sine(seconds=2.05))
    assert len(made) == 21
    assert made[-1] == pytest.approx(0, abs=0.2)


def test_a_step_is_smoothed_over_four_tenths_around_it():
    wave = sine(seconds=2)
    wave[:, :RATE] *= 10 ** (-30 / 20)
    made = lufs(wave)
    assert made[4:7] == pytest.approx(torch.full((3,), -30.0), abs=0.1)
    assert made[13:] == pytest.approx(torch.zeros(7), abs=0.1)
    assert (made[7:13].diff() > 0).all()
    assert made[9] == pytest.approx(10 * math.log10(1.5 / 4), abs=0.3)


def of(value, samples=2 * RATE):
    return loudness().from_value(Loudness.Value.model_validate(value), samples=samples)


def test_points_are_joined_by_lines_and_go_on_level():
    made = 30 * of({"points": [[0.55, -40], [1.55, -10]]})[0] - 30
    expected = [-40.0] * 5 + [-40 + 3.0 * step for step in range(11)] + [-10.0] * 4
    assert made == pytest.approx(torch.tensor(expected), abs=1e-4)


def test_points_beyond_what_can_be_told_count_as_its_ends():
    assert torch.equal(of({"points": [[0, -200], [0.5, -200]]}), torch.full((1, 20), -1.0))
    assert torch.equal(of({"points": [[0, 20.0]]}), torch.full((1, 20), 1.0))


@pytest.fixture
def saved(tmp_path):
    def save(wave, rate=RATE):
        path = tmp_path / "loud.wav"
        soundfile.write(path, wave.T.numpy(), rate, subtype="FLOAT")
        return str(path)

    return save


def test_a_file_tells_what_a_clip_of_it_tells_and_goes_on_level(saved):
    wave = sine(seconds=1) * torch.linspace(0.01, 1, RATE)
    whole = loudness().from_clip(mk.Clip(wave, ""))
    made = of({"file": saved(wave)}, samples=2 * RATE + 1)
    assert made.shape == (1, 21)
    assert torch.equal(made[:, :10], whole)
    assert torch.equal(made[:, 10:], whole[:, -1:].expand(1, 11))
    later = of({"file": saved(wave), "start": 0.5}, samples=RATE // 2)
    torch.testing.assert_close(later[:, 2:], whole[:, 7:], atol=0.01, rtol=0)


def test_a_file_of_one_channel_is_as_loud_as_of_two_alike(saved):
    one, two = (of({"file": saved(sine(channels=channels))}) for channels in (1, 2))
    assert torch.equal(one, two)


def test_bad_files_are_told_in_one_line(saved, tmp_path):
    def refusal(file):
        with pytest.raises(mk.AudioError) as caught:
            of({"file": file})
        return str(caught.value)

    silent = saved(torch.zeros(2, RATE))
    assert refusal(silent) == f"{silent}: is silent for the 2.0 s of the clip"
    short = saved(sine(seconds=0.05))
    assert refusal(short) == f"{short}: lasts 0.050 s; 0.100 s are the least"
    missing = str(tmp_path / "missing.wav")
    assert refusal(missing) == f"{missing}: does not exist"


BAD = {
    "must have a file or points, one of them": [{}, {"file": "a.wav", "points": [[0, -20]]}],
    "points must be at 0 seconds or later": [{"points": [[-1, -20]]}],
    "points must be in the order of their seconds, no two at one": [
        {"points": [[1, -20], [0, -10]]},
        {"points": [[1, -20], [1, -10]]},
    ],
    "at least 2 items": [{"points": [[1]]}],
    "at least 1 item": [{"points": []}],
}


@pytest.mark.parametrize(
    ("told", "value"), [(told, value) for told, values in BAD.items() for value in values]
)
def test_bad_values_are_refused(told, value):
    with pytest.raises(ValidationError) as caught:
        Loudness.Value.model_validate(value)
    assert told in str(caught.value)


def test_the_context_is_the_data():
    data = torch.rand(2, 1, 20)
    assert torch.equal(loudness()(data, frames=7), data)
    assert (loudness().tokens, loudness().context_channels) == (0, 1)
