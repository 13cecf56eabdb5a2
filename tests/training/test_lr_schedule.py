import pytest

from mousai_kit.recipe import Train
from mousai_kit.training.lr_schedule import learning_rate


def rates(**settings):
    """Return the rate at five places of a training of 100 steps."""
    chosen = Train(learning_rate=2.0, steps=100, **settings)
    return [learning_rate(chosen, round(100 * it), it) for it in (0, 0.25, 0.5, 0.75, 1)]


def test_it_is_constant_unless_something_is_said():
    assert rates() == [2.0] * 5


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("cosine", [2.0, 1.7071, 1.0, 0.2929, 0.0]),
        ("linear", [2.0, 1.5, 1.0, 0.5, 0.0]),
        ("exponential", [2.0, 0.2, 0.02, 0.002, 0.0002]),
    ],
)
def test_it_falls_to_nothing_by_its_shape(shape, expected):
    assert rates(decay=0.0, decay_shape=shape) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("shape", ["cosine", "linear", "exponential"])
def test_it_ends_at_the_share_that_is_asked_for_and_begins_to_fall_when_it_is_told(shape):
    found = rates(decay=0.25, decay_shape=shape, decay_from=0.5)
    assert found[:3] == [2.0] * 3
    assert found[3] == pytest.approx({"cosine": 1.25, "linear": 1.25, "exponential": 1.0}[shape])
    assert found[4] == pytest.approx(0.5)


def test_it_rises_along_a_line():
    chosen = Train(learning_rate=2.0, warmup=4)
    assert [learning_rate(chosen, it, 0.0) for it in range(5)] == [0.5, 1.0, 1.5, 2.0, 2.0]
