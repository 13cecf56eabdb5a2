"""Phases of lines: those of a tone go on as its own do."""

from math import pi

import pytest
import torch

import mousai_kit.api as mk
from mousai_kit_mousai.phases import advance_phases

WIDTH, HOP, FRAMES = 1024, 256, 40
WINDOW = torch.hann_window(WIDTH)


def tone(place):
    """Return the STFT [1, k, n] of a tone that lies so many bins above 0, its ends left out."""
    wave = (2 * pi * place / WIDTH * torch.arange(FRAMES * HOP)).sin()
    return mk.stft(wave[None], WINDOW, HOP)[..., 3:-3]


@pytest.mark.parametrize("place", [40.0, 40.2, 100.5])
def test_a_tones_phase_goes_on_as_its_frequency_says_between_bins_too(place):
    found = tone(place)
    power = found.abs().square().log()
    told = advance_phases(power, first=0, width=WIDTH, hop=HOP)
    real = (found / found[..., :1]).angle()
    off = (told - real + pi).remainder(2 * pi).sub(pi).abs()[:, int(place), :10]
    assert told[..., 0].eq(0).all()
    assert off.max() < 0.25  # a bin's own frequency is off by 2.8 after nine hops for 40.2


def test_bins_that_are_left_out_below_do_not_change_the_others():
    power = tone(40.2).abs().square().log()
    whole = advance_phases(power, first=0, width=WIDTH, hop=HOP)
    part = advance_phases(power[:, 30:], first=30, width=WIDTH, hop=HOP)
    torch.testing.assert_close(part[:, 1:], whole[:, 31:], atol=1e-3, rtol=0)
