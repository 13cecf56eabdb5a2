"""Timing: where a clip stands in a track, and what it is where nothing is said."""

import pytest
import torch
from pydantic import ValidationError

import mousai_kit.api as mk
from mousai_kit_stable_audio.timing import StableAudioTiming

SPACE = mk.SignalSpace(channels=8, stride=1024, sample_rate=48_000)


def timing(**options):
    torch.manual_seed(0)
    made = StableAudioTiming.Options(**options)
    return StableAudioTiming(made, space=SPACE, text_features=64)


def test_a_clip_tells_its_place_as_far_as_it_is_known():
    wave = torch.zeros(2, 100)
    made = timing().from_clip(mk.Clip(wave, "", start=12.5, track_seconds=180.0))
    assert made.tolist() == [12.5, 180.0]
    half = timing().from_clip(mk.Clip(wave, "", start=12.5))
    assert half[0] == 12.5
    assert half[1].isnan()


def test_where_nothing_is_said_it_is_all_of_a_track():
    assert timing().from_nothing(samples=96_000).tolist() == [0.0, 2.0]


def test_a_number_is_a_share_with_sines_and_cosines_of_learned_turns():
    made = timing(max_seconds=100.0, frequencies=3)
    seconds = torch.tensor([[25.0, 400.0]])
    start, total = made(seconds, frames=1)[0]
    for token, layer, part in ((start, made.start, 0.25), (total, made.total, 1.0)):
        turns = 2 * torch.pi * layer.frequencies * part
        features = torch.cat([torch.tensor([part]), turns.sin(), turns.cos()])
        torch.testing.assert_close(token, layer.leave(features))


def test_a_start_beyond_the_end_is_refused():
    with pytest.raises(ValidationError) as caught:
        StableAudioTiming.Value(start=10, total=5)
    told = "start must be before the track's end (got start 10, total 5)"
    assert told in str(caught.value)
