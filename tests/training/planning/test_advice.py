"""Advice: the first settings that fit, each with what it costs; shorter crops only where needed."""

from mousai_kit.recipe import Train
from mousai_kit.training.planning.cost import (
    LinearFit,
    StepCost,
    StepSample,
    Suggestion,
    suggest_settings,
)

TRAIN = Train(batch=32, length=65536)
GRADIENTS = 2


def cost(train):
    """Return a step of 100 bytes and 10 a clip; recomputed 4 a clip, in half again the time."""
    each = (4 if train.recompute else 10) * train.length / 65536
    slow = (1.5 if train.recompute else 1.0) * (3.0 if train.precision == "bf16" else 1.0)
    points = [StepSample(it, int(100 + each * it), slow * it) for it in (1, 2, 4)]
    return StepCost.of(points, gradients=GRADIENTS, measured=True)


def told(room, cost_of=cost, train=TRAIN):
    return suggest_settings(train, cost_of, room)


def test_parts_come_first_and_recomputing_where_it_spares_some():
    assert told(200) == [
        Suggestion({"accumulate": 4}, 100 + 80 + GRADIENTS, 32.0, measured=False),
        Suggestion(
            {"accumulate": 2, "recompute": True}, 100 + 64 + GRADIENTS, 48.0, measured=False
        ),
    ]


def test_as_few_parts_as_it_takes_and_all_alike():
    assert [it.changes["accumulate"] for it in told(183)] == [4, 2]
    assert [it.changes["accumulate"] for it in told(181)] == [8, 2]
    train = TRAIN.model_copy(update={"batch": 9})
    assert told(180, train=train)[0].changes == {"accumulate": 3}


def test_what_was_measured_is_told_from_what_the_line_says():
    assert told(145)[0] == Suggestion({"accumulate": 8}, 142, 32.0, measured=True)


def test_a_lower_precision_is_advised_where_it_was_measured_to_pay():
    def quick(train):
        lower = train.precision == "bf16"
        points = [
            StepSample(it, 100 + (5 if lower else 10) * it, it / (1 + lower)) for it in (1, 2)
        ]
        return StepCost.of(points, gradients=GRADIENTS, measured=True)

    assert told(300, quick)[0] == Suggestion({"precision": "bf16"}, 260, 16.0, measured=False)


def test_shorter_crops_are_the_last_resort():
    assert told(103.5) == [
        Suggestion(
            {"accumulate": 32, "recompute": True, "length": 16384},
            101 + GRADIENTS,
            48.0,
            measured=True,
        )
    ]


def test_nothing_is_advised_where_the_weights_alone_are_too_large():
    asked = []

    def counted(train):
        asked.append(train)
        return cost(train)

    assert told(99, counted) == []
    assert asked == [TRAIN]


def test_nothing_is_advised_where_nothing_is_known():
    assert told(1000, lambda train: None) == []


class TestCost:
    def test_memory_never_falls_below_that_of_one_clip(self):
        points = [StepSample(1, 100, None), StepSample(4, 110, None), StepSample(8, 190, None)]
        found = StepCost.of(points, gradients=0, measured=False)
        sizes = [found.bytes(TRAIN.model_copy(update={"batch": it})) for it in (1, 4, 8, 16)]
        assert sizes == [100, 110, 190, 350]

    def test_beyond_what_was_measured_it_rises_as_estimated_if_that_is_more(self):
        points = [StepSample(0, 90, None), StepSample(1, 100, 1.0)]
        found = StepCost.of(points, gradients=0, measured=True).no_flatter_than(30)
        sizes = [found.bytes(TRAIN.model_copy(update={"batch": it})) for it in (1, 2)]
        assert sizes == [100, 130]

    def test_time_through_one_point_is_in_proportion(self):
        found = StepCost.of(
            [StepSample(0, 9, None), StepSample(2, 10, 3.0)], gradients=0, measured=True
        )
        assert found.seconds(TRAIN) == 48.0

    def test_parts_that_are_not_even_count_as_the_largest(self):
        found = StepCost.of(
            [StepSample(1, 10, 1.0), StepSample(2, 20, 2.0)], gradients=5, measured=True
        )
        train = TRAIN.model_copy(update={"batch": 5, "accumulate": 3})
        assert (found.bytes(train), found.seconds(train)) == (25, 6.0)
        assert found.is_measured(train)


def test_a_line_goes_through_the_two_largest_and_never_falls():
    assert LinearFit.through([(1, 5), (2, 10), (4, 30)]) == LinearFit(-10, 10)
    assert LinearFit.through([(1, 5), (2, 3)]) == LinearFit(3, 0)
    assert LinearFit.through([(4, 8)]) == LinearFit(0, 2)
