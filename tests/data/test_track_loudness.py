"""A track is brought to a loudness as a whole, and never clipped."""

from math import pi

import numpy as np
import pyloudnorm
import pytest
import soundfile
import torch

import mousai_kit.api as mk
from mousai_kit.audio.analysis import analyze_file
from mousai_kit.data.tracks import gain_to

RATE = 8_000


class Files(mk.TrackDataset):
    """Files of a folder."""

    name = "files"

    def find_tracks(self):
        return [
            mk.Track(it, it.name, mk.audio_info(it).seconds) for it in sorted(FOLDER[0].iterdir())
        ]


FOLDER = []


@pytest.fixture(autouse=True)
def music(tmp_path):
    FOLDER[:] = [tmp_path]
    return tmp_path


def write(folder, wave, name="a.wav"):
    soundfile.write(folder / name, wave, RATE, subtype="FLOAT")


def tone(seconds=6, level=0.1):
    time = np.arange(seconds * RATE) / RATE
    return (level * np.sin(2 * pi * 500 * time)).astype(np.float32)


def files(loudness, channels=1, length=6 * RATE):
    options = Files.Options(loudness=loudness)
    build_kwargs = {"sample_rate": RATE, "channels": channels, "length": length, "split": "train"}
    return Files(options, **build_kwargs)


def heard(wave):
    return pyloudnorm.Meter(RATE, filter_class="DeMan").integrated_loudness(wave.T.numpy())


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("of", [1, 2])
@pytest.mark.parametrize("level", [0.01, 0.5])
def test_a_track_has_the_loudness_asked_for_in_any_channels(music, level, of, channels):
    write(music, np.stack([tone(level=level)] * of, axis=1) * ([1.0, 0.3] if of == 2 else 1.0))
    assert heard(files(-20.0, channels)[0].wave) == pytest.approx(-20.0, abs=0.05)


def test_a_quiet_passage_stays_quiet(music):
    write(music, np.concatenate([tone(level=0.5), tone(level=0.02)]))
    crops = [files(-16.0, length=RATE // 2).clip(0, epoch) for epoch in range(40)]
    peaks = [crop.wave.abs().max().item() for crop in crops]
    assert max(peaks) / min(peaks) == pytest.approx(25, rel=0.1)


def test_no_sample_exceeds_1_however_loud_it_is_to_be(music):
    wave = tone(level=0.01)
    wave[20_000] = 0.5
    write(music, wave)
    assert files(0.0)[0].wave.abs().max() == pytest.approx(1.0, abs=1e-6)


def test_without_the_option_a_track_is_as_it_is_and_nothing_is_measured(music, monkeypatch):
    write(music, tone())
    monkeypatch.setattr("mousai_kit.data.tracks.analyze_file", None)
    assert torch.equal(files(None)[0].wave, torch.from_numpy(tone())[None])


def test_a_track_is_measured_once(music, monkeypatch):
    write(music, tone())
    asked = []

    def counted(path, file=None):
        asked.append(path)
        return analyze_file(path, file)

    monkeypatch.setattr("mousai_kit.data.tracks.analyze_file", counted)
    made = files(-20.0, length=RATE)
    waves = [made.clip(0, epoch).wave for epoch in range(4)]
    assert asked == [music / "a.wav"]
    assert torch.equal(files(-20.0, length=RATE).clip(0, 3).wave, waves[3])


def test_a_silent_track_has_no_gain(music):
    write(music, np.zeros(RATE, np.float32))
    assert gain_to(-14.0, analyze_file(music / "a.wav"), 2) == 1.0


def test_a_track_that_vanishes_before_it_is_measured_is_an_error_of_that_track(music):
    write(music, tone())
    made = files(-20.0)
    (music / "a.wav").unlink()
    with pytest.raises(mk.AudioError) as caught:
        made.clip(0)
    assert str(caught.value) == f"{music}/a.wav: does not exist"


@pytest.mark.parametrize("loudness", [-70.1, 0.1])
def test_a_loudness_that_can_t_be_meant_is_refused(loudness):
    with pytest.raises(ValueError, match="1 validation error"):
        Files.Options(loudness=loudness)
