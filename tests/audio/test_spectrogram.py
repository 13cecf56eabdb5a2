"""Strips: the mel spectrogram of audio that comes in pieces, however long."""

import pytest
import torch

from mousai_kit.audio import spectrogram
from mousai_kit.audio.spectrogram import StreamingMel, log_mel

RATE = 8000


def music(samples, seed=0):
    return 0.3 * torch.randn(2, samples, generator=torch.Generator().manual_seed(seed))


def of_pieces(wave, size):
    made = StreamingMel(RATE, wave.shape[-1])
    for piece in wave.split(size, -1):
        made.add(piece)
    return made.mel()


@pytest.mark.parametrize("samples", [1, 100, 1023, 1024, 20_000])
def test_short_audio_has_a_column_for_every_frame(samples):
    wave = music(samples)
    mel = StreamingMel.of(wave, RATE).mel()
    expected = log_mel(wave.mean(0), RATE, n_fft=512, hop=128, bands=160)
    assert mel.shape == expected.shape
    inner = slice(2, -2)  # beyond the ends there is silence here, a reflection there
    torch.testing.assert_close(mel[:, inner], expected[:, inner], rtol=0, atol=1e-3)


@pytest.mark.parametrize("size", [1, 77, 128, 5000, 19_999])
@pytest.mark.parametrize("columns", [10, 2000])
def test_pieces_of_any_size_make_the_same_strip(size, columns, monkeypatch):
    monkeypatch.setattr(spectrogram, "COLUMNS", columns)
    wave = music(4000 if size == 1 else 20_000)
    torch.testing.assert_close(
        of_pieces(wave, size), StreamingMel.of(wave, RATE).mel(), rtol=0, atol=1e-3
    )


@pytest.mark.parametrize("seconds", [10, 31.9, 32, 32.1, 100, 1000])
def test_a_strip_has_no_more_columns_than_a_picture_has_pixels(seconds):
    mel = StreamingMel.of(music(round(RATE * seconds)), RATE).mel()
    assert spectrogram.COLUMNS / 2 - 1 <= max(mel.shape[1], 1000) <= spectrogram.COLUMNS
    assert mel.shape[0] == spectrogram.BANDS


def test_a_column_is_the_mean_power_of_its_frames(monkeypatch):
    wave = music(20_000)
    fine = StreamingMel.of(wave, RATE).mel()
    monkeypatch.setattr(spectrogram, "COLUMNS", 40)
    coarse = StreamingMel.of(wave, RATE).mel()
    power = 10 ** (fine / 10)
    expected = torch.stack([it.mean(-1) for it in power.split(4, -1)], -1)
    torch.testing.assert_close(coarse, 10 * expected.log10(), rtol=0, atol=1e-3)
