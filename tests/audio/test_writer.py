"""A take: pieces become a file when all are there, and nothing is left of one that is dropped."""

import nano
import pytest
import torch

from mousai_kit import audio
from mousai_kit.audio.writer import AudioWriter
from mousai_kit.core.errors import AudioError


def sine(samples=20_000, gain=0.5):
    return gain * torch.sin(torch.arange(samples) * torch.tensor([[0.1], [0.2]]))


@pytest.mark.parametrize("suffix", ["flac", "wav", "ogg"])
@pytest.mark.parametrize("gain", [0.5, 3.0])
def test_pieces_become_the_file_that_the_whole_becomes(here, suffix, gain):
    wave = sine(gain=gain)
    audio.write(here / f"whole.{suffix}", wave, sample_rate=8000, tags={"title": "a"})
    with AudioWriter(here / f"pieces.{suffix}", sample_rate=8000, channels=2) as take:
        for piece in wave.split([0, 1, 9_999, 10_000], -1):
            take.add(piece)
        take.write({"title": "a"})
    one, other = (
        audio.read(here / f"{name}.{suffix}", sample_rate=8000, channels=2)
        for name in ("whole", "pieces")
    )
    assert torch.equal(one, other)
    assert audio.read_tags(here / f"pieces.{suffix}")["title"] == "a"
    assert nano.names() == [f"pieces.{suffix}", f"whole.{suffix}"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_is_cut_off_leaves_nothing(here, error):
    def cut_off():
        with AudioWriter(here / "a.wav", sample_rate=8000, channels=2) as take:
            take.add(sine())
            raise error

    with pytest.raises(error):
        cut_off()
    assert nano.names() == []


def test_ctrl_c_while_the_file_is_encoded_leaves_nothing(here, monkeypatch):
    with AudioWriter(here / "a.flac", sample_rate=8000, channels=2) as take:
        take.add(sine(100_000))
        seconds = take._seconds()

        def interrupted():
            yield next(seconds)
            raise KeyboardInterrupt

        monkeypatch.setattr(take, "_seconds", interrupted)
        with pytest.raises(KeyboardInterrupt):
            take.write({})
    assert nano.names() == []


def test_the_first_piece_that_is_not_finite_is_refused(here):
    with AudioWriter(here / "a.wav", sample_rate=8000, channels=2) as take:
        take.add(sine())
        with pytest.raises(AudioError) as refused:
            take.add(torch.full((2, 5), torch.nan))
    assert str(refused.value) == (
        f"{here / 'a.wav'}: the audio made is not finite (NaN or infinity), so nothing was "
        "written; the weights are broken or precision is too low: try `precision: fp32`"
    )


def test_one_loud_piece_is_enough(here):
    with AudioWriter(here / "a.wav", sample_rate=8000, channels=2) as take:
        take.add(torch.zeros(2, 100))
        take.add(sine(100))
        take.write({})
    assert audio.audio_info(here / "a.wav").frames == 200


def test_a_disk_that_fills_up_is_told_at_once(here):
    with nano.full_disk(10_000), AudioWriter(here / "a.wav", sample_rate=8000, channels=2) as take:
        with pytest.raises(AudioError) as refused:
            take.add(sine())
        assert str(refused.value) == f"{here / 'a.wav'}: can't be written (File too large)"
    assert nano.names() == []
