"""Mel statistics: windows, levels, channels."""

import math

import pytest
import torch

from mousai_kit.testing.signals import white
from mousai_kit_metrics.mel_statistics import MelStatistics
from mousai_kit_metrics.windows import cut_windows

RATE = 16_000


def vectors(wave, rate=RATE, **options):
    return MelStatistics(MelStatistics.Options(**options), sample_rate=rate)(wave)


def tone(hertz, seconds=1.0, rate=RATE):
    return (0.3 * (2 * math.pi * hertz * torch.arange(round(seconds * rate)) / rate).sin())[
        None, None
    ]


@pytest.mark.parametrize(("seconds", "windows"), [(0.05, 1), (1, 1), (1.5, 2), (3, 3), (3.2, 4)])
def test_there_is_a_vector_for_each_second_begun(seconds, windows):
    assert vectors(tone(440, seconds)).shape == (1, windows, 96)


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_any_rate_will_do(rate):
    found = vectors(tone(440, 2, rate), rate)
    assert found.shape == (1, 2, 96)
    assert found.isfinite().all()


def test_twice_as_loud_is_6_db_more_in_the_means_alone():
    wave = 0.1 * white(1, 1, RATE)
    quiet, loud = vectors(wave), vectors(2 * wave)
    torch.testing.assert_close(loud[..., :32] - quiet[..., :32], torch.full((1, 1, 32), 6.0206))
    torch.testing.assert_close(loud[..., 32:], quiet[..., 32:], rtol=1e-3, atol=1e-3)


def test_a_steady_tone_has_less_spread_than_one_that_comes_and_goes():
    """In the second of three seconds, where no tone begins or ends."""
    steady = tone(440, 3)
    gated = steady * ((torch.arange(3 * RATE) // 2000) % 2)
    for part in (slice(32, 64), slice(64, 96)):
        lively, still = (vectors(wave)[:, 1, part].mean() for wave in (gated, steady))
        assert lively > 4 * still


def test_a_higher_tone_is_in_higher_bands():
    places = [int(vectors(tone(hertz))[0, 0, :32].argmax()) for hertz in (200, 1000, 5000)]
    assert places == sorted(set(places))


def test_what_is_on_one_channel_is_heard():
    both = tone(440).expand(1, 2, -1)
    left = both * torch.tensor([1.0, 0.0])[:, None]
    opposite = both * torch.tensor([1.0, -1.0])[:, None]
    assert (vectors(left) - vectors(both)).abs().max() > 1
    torch.testing.assert_close(vectors(opposite), vectors(both))


@pytest.mark.parametrize(
    ("length", "starts"), [(3, [0]), (4, [0]), (5, [0, 1]), (8, [0, 4]), (11, [0, 3, 7])]
)
def test_windows_cover_all_of_a_signal(length, starts):
    found = cut_windows(torch.arange(length), 4)
    assert found[:, 0].tolist() == starts
    assert sorted(set(found.flatten().tolist())) == list(range(length))
