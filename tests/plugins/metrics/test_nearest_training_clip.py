"""Nearest training clips: copies are found, and named."""

import pytest
import torch
from sampled_clips import clips, measured_by, real

import mousai_kit.api as mk
from mousai_kit_metrics.nearest import NEAR, NearestTrainingClip


def drawn(count, windows=3, features=5, *, seed=0):
    return torch.randn(count, windows, features, generator=torch.Generator().manual_seed(seed))


TRAIN, HELD_OUT = drawn(30, seed=1), drawn(20, seed=2)


def score(made, train=None, held_out=None, **named):
    if train is None:
        train = clips(TRAIN, sources=[f"track-{number}" for number in range(30)])
    metric = measured_by(NearestTrainingClip)
    reference = real(train, clips(HELD_OUT) if held_out is None else held_out)
    return metric.score(clips(made, **named), reference)


def test_other_music_is_about_as_far_as_held_out_music():
    found = score(drawn(40, seed=3))
    assert found.value == pytest.approx(1, abs=0.15)
    assert found.beside[NEAR] <= 20


def test_copies_are_at_no_distance_and_named():
    found = score(
        TRAIN[:3] + 1e-4 * torch.arange(3)[:, None, None], sources=["a.flac", "b.flac", "c.flac"]
    )
    assert found.value < 0.01
    assert found.beside == {NEAR: 100}
    assert found.note == (
        "3 clips, 30 training clips, 20 real distances; nearest: 'a.flac' and 'track-0' (0.00), "
        "'b.flac' and 'track-1' (0.00), 'c.flac' and 'track-2' (0.00)"
    )


def test_a_copy_in_another_order_of_its_windows_is_a_copy():
    assert score(TRAIN[:3].flip(1)).value < 0.01


def test_some_copies_among_other_clips_show_in_the_share_and_the_names():
    found = score(torch.cat([drawn(9, seed=3), TRAIN[4:5]]), sources=[*"abcdefghi", "copy"])
    assert found.value > 0.8
    assert found.beside[NEAR] >= 10
    assert "nearest: 'copy' and 'track-4' (0.00)" in found.note


def test_a_clip_without_a_source_is_named_by_its_prompt():
    made = mk.ClipSet([mk.Clip(TRAIN[7], "slow metal")])
    reference = real(clips(TRAIN), clips(HELD_OUT))
    note = measured_by(NearestTrainingClip).score(made, reference).note
    assert "'slow metal' and '7.wav' (0.00)" in note


def test_a_file_is_named_without_its_folder_and_with_the_place_in_it():
    train = mk.ClipSet(
        [
            mk.Clip(wave, "", source=f"/music/{at}.ogg", start=2.0 * at)
            for at, wave in enumerate(TRAIN)
        ]
    )
    note = score(TRAIN[3:4], train, sources=["runs/x/audio/a.flac"]).note
    assert note.endswith("nearest: 'a.flac' and '3.ogg' at 6.0 s (0.00)")


def test_each_feature_counts_the_same_whatever_its_size():
    scale = torch.tensor([1.0, 1, 1, 1, 1000])
    made = drawn(10, seed=3)
    scaled = score(made * scale, clips(TRAIN * scale), clips(HELD_OUT * scale))
    assert scaled.value == pytest.approx(score(made).value, rel=1e-4)


def test_without_held_out_clips_tracks_are_compared_with_other_tracks():
    """Clips of one track are alike, and would make all else look far."""
    twice = TRAIN.repeat_interleave(2, 0)
    train = clips(twice, sources=[f"track-{number // 2}" for number in range(60)])
    found = score(drawn(40, seed=3), train, mk.ClipSet([]))
    assert found.value == pytest.approx(1, abs=0.2)
    assert "60 training clips, 60 real distances" in found.note


def message(*arguments):
    with pytest.raises(mk.RequestError) as raised:
        score(*arguments)
    return str(raised.value)


def test_no_training_clips():
    assert message(drawn(2), mk.ClipSet([])) == (
        "nearest-training-clip: needs 2 training clips or more; give more music, or raise "
        "`evaluate.real` (got 0)"
    )


def test_one_track_and_nothing_held_out():
    train = clips(TRAIN[:2], sources=["a.wav", "a.wav"])
    assert message(drawn(2), train, mk.ClipSet([])) == (
        "nearest-training-clip: needs held-out clips, or training clips of two tracks; "
        "give more music"
    )


def test_held_out_clips_that_were_learned_from():
    assert message(drawn(2), clips(TRAIN), clips(TRAIN)) == (
        "nearest-training-clip: the real clips to compare with are training clips themselves; "
        "take duplicates out of the data"
    )
