"""Timing: two tokens that tell seconds apart, near ones and far ones."""

import pytest
import torch
from pydantic import ValidationError

import mousai_kit.api as mk
from mousai_kit_conditioning.timing import Timing


def timing(**options):
    torch.manual_seed(0)
    space = mk.SignalSpace(channels=8, stride=1024, sample_rate=48_000)
    return Timing(Timing.Options(**options), space=space, text_features=64)


def tokens(*places, **options):
    return timing(**options)(torch.tensor(places), frames=10)


def test_a_clip_tells_its_place_as_far_as_it_is_known():
    wave = torch.zeros(2, 100)
    made = timing().from_clip(mk.Clip(wave, "", start=12.5, track_seconds=180.0))
    assert made.tolist() == [12.5, 180.0]
    half = timing().from_clip(mk.Clip(wave, "", start=12.5))
    assert half[0] == 12.5
    assert half[1].isnan()
    assert timing().from_clip(mk.Clip(wave, "")).isnan().all()


def test_a_value_is_told_as_a_clip_at_its_place():
    value = Timing.Value(start=0, total=180)
    assert timing().from_value(value, samples=100).tolist() == [0, 180]


BAD = {
    "start must be before the track's end (got start 10, total 5)": {"start": 10, "total": 5},
    "start must be before the track's end (got start 5, total 5)": {"start": 5, "total": 5},
    "greater than or equal to 0": {"start": -1, "total": 5},
    "greater than 0": {"start": 0, "total": 0},
}


@pytest.mark.parametrize(("told", "value"), BAD.items())
def test_places_that_no_track_has_are_refused(told, value):
    with pytest.raises(ValidationError) as caught:
        Timing.Value(**value)
    assert told in str(caught.value)


def test_two_tokens_come_of_a_place_and_items_do_not_mix():
    both = tokens([0.0, 180.0], [30.0, 60.0])
    assert both.shape == (2, 2, 64)
    torch.testing.assert_close(both[1:], tokens([30.0, 60.0]))
    assert not torch.equal(both[0, 0], both[0, 1])


def test_each_second_is_its_own_also_late_in_a_track():
    seconds = torch.arange(0.0, 512.0)
    made = timing()(torch.stack([seconds, torch.full_like(seconds, 600.0)], 1), frames=1)[:, 0]
    apart = torch.cdist(made, made) + torch.eye(len(made)) * 9
    assert apart.min() > 0.05


def test_what_is_beyond_the_longest_counts_as_the_longest():
    assert torch.equal(tokens([0.0, 513.0]), tokens([0.0, 10_000.0]))
    assert not torch.equal(tokens([0.0, 400.0]), tokens([0.0, 513.0]))
    assert torch.equal(
        tokens([0.0, 100.0], max_seconds=60.0), tokens([0.0, 60.0], max_seconds=60.0)
    )


def test_every_parameter_learns():
    part = timing()
    part(torch.tensor([[3.0, 100.0]]), frames=1).square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in part.parameters())


def test_it_runs_in_half_precision():
    part = timing().to(torch.bfloat16)
    assert part(torch.tensor([[3.0, 100.0]]), frames=1).dtype == torch.bfloat16
