"""Mel pictures: what is loud is bright, where its time and its frequency stand on the axes."""

import math

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image

from mousai_kit.audio import StreamingMel, mel_picture, plot_mels

RATE = 44_100
MAGMA = np.round(np.array(matplotlib.colormaps["magma"].colors) * 255).astype(np.uint8)


def tone(hertz, *, seconds=1.0, begins=0.0):
    t = torch.arange(round(seconds * RATE)) / RATE
    return ((t >= begins) * torch.sin(2 * math.pi * hertz * t))[None]


def picture_of(path, **waves):
    plot_mels(path, {name: StreamingMel.of(wave, RATE) for name, wave in waves.items()})
    return np.asarray(Image.open(path)).astype(int)


def axes(picture, row=0):
    """Return the brightness within a panel's frame."""
    top = mel_picture.HEIGHT * row + mel_picture.TOP
    bottom = mel_picture.HEIGHT * row + mel_picture.BOTTOM
    return picture[top + 1 : bottom, mel_picture.LEFT + 1 : mel_picture.RIGHT].sum(-1)


def test_the_colours_are_those_of_magma():
    assert np.array_equal(mel_picture._magma(), MAGMA)


@pytest.mark.parametrize(("hertz", "label"), [(100, "100"), (1000, "1k"), (10_000, "10k")])
def test_a_tone_is_bright_where_its_frequency_stands_on_the_axis(tmp_path, hertz, label):
    shown = axes(picture_of(tmp_path / "a.png", a=tone(hertz)))
    places, labels = mel_picture._frequency_ticks(160, RATE)
    expected = len(shown) * (1 - places[labels.index(label)] / 160)
    assert abs(int(shown.mean(1).argmax()) - expected) <= 4


def test_a_tone_begins_where_its_time_stands_on_the_axis(tmp_path):
    shown = axes(picture_of(tmp_path / "a.png", a=tone(1000, seconds=4.0, begins=1.0)))
    line = shown[shown.mean(1).argmax()]
    assert abs(int((line > line.max() / 2).argmax()) / len(line) - 0.25) < 0.02


def test_a_second_panel_has_the_colours_of_the_first(tmp_path):
    picture = picture_of(tmp_path / "a.png", loud=tone(1000), soft=0.01 * tone(1000))
    assert picture.shape == (2 * mel_picture.HEIGHT, mel_picture.WIDTH, 3)
    loud, soft = (axes(picture, row).max() for row in (0, 1))
    assert loud > 600
    assert 200 < soft < 450  # 40 dB of 70 down


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (0.0, 1.0, "0.0 0.2 0.4 0.6 0.8 1.0"),
        (0.0, 43.7, "0 5 10 15 20 25 30 35 40"),
        (0.0, 0.25, "0.00 0.05 0.10 0.15 0.20 0.25"),
        (0.0, 86_400.0, "0 10000 20000 30000 40000 50000 60000 70000 80000"),
        (-53.2, 16.8, "\u221250 \u221240 \u221230 \u221220 \u221210 0 10"),
    ],
)
def test_ticks_are_round_numbers(low, high, texts):
    assert [text for _, text in mel_picture._ticks(low, high)] == texts.split()


@pytest.mark.parametrize("samples", [1, 100, RATE])
def test_audio_of_any_length_is_drawn(tmp_path, samples):
    picture = picture_of(tmp_path / "a.png", a=tone(440, seconds=samples / RATE))
    assert picture.shape == (mel_picture.HEIGHT, mel_picture.WIDTH, 3)
