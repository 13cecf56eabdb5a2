"""Likeness of melodies: high where the notes are the same, whoever plays them, low otherwise."""

import pytest
import torch
from sung import MELODIES, RATE, bass, chords, drums, hum, lead, whistle

from mousai_kit_conditioning.likeness import MelodyLikeness


def score(generated, reference):
    metric = MelodyLikeness(MelodyLikeness.Options(), sample_rate=RATE)
    return metric.score(generated[None], reference[None])


@pytest.mark.parametrize("notes", MELODIES)
def test_a_band_that_plays_what_was_hummed_is_liker_than_one_that_plays_another_tune(notes):
    band = chords() + bass() + drums()
    other = MELODIES[MELODIES.index(notes) - 1]
    same = score(lead(notes) + 0.5 * band, hum(notes))
    assert same > 0.5
    assert same > score(lead(other) + 0.5 * band, hum(notes)) + 0.3


def test_octave_gain_and_timbre_hardly_matter_and_the_time_of_notes_does():
    notes = MELODIES[0]
    assert score(whistle(notes), hum(notes)) > 0.7
    assert score(0.01 * hum(notes), hum(notes)) == pytest.approx(1, abs=1e-3)
    assert score(hum(notes).roll(RATE, -1), hum(notes)) < 0.3


def test_what_is_silent_in_one_is_unlike():
    notes = MELODIES[0]
    half = hum(notes)
    half[:, half.shape[1] // 2 :] = 0
    assert score(half, hum(notes)) == pytest.approx(0.5, abs=0.05)
    silence = torch.zeros_like(half)
    assert score(silence, half) == score(silence, silence) == 0


def test_clips_count_alike():
    metric = MelodyLikeness(MelodyLikeness.Options(), sample_rate=RATE)
    first, second = hum(MELODIES[0]), hum(MELODIES[1])
    both = metric.score(torch.stack([first, first]), torch.stack([first, second]))
    assert both == pytest.approx((1 + score(first, second)) / 2)
