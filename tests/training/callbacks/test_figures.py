"""Figures: the loss and where it goes, the speed of late, and when it ends."""

import math

import pytest
from acting import Acted, noisy

from mousai_kit.training.callbacks.progress import RunningStats


@pytest.fixture
def act(tmp_path):
    def begun(**settings):
        figures = RunningStats()
        training = Acted(tmp_path, figures, **settings)
        training.begin()
        return training, figures

    return begun


def test_the_loss_is_the_mean_of_the_last_hundred_steps(act):
    training, figures = act()
    assert math.isnan(figures.loss)
    training.steps_of([9.0] * 50 + [1.0] * 50 + [2.0] * 50)
    assert figures.loss == pytest.approx(1.5)


def test_a_loss_that_is_not_finite_spoils_nothing(act):
    training, figures = act()
    training.steps_of([1.0, math.inf, math.nan, 2.0])
    assert figures.loss == 1.5


@pytest.mark.parametrize(
    ("losses", "told"),
    [
        (noisy(19), "None"),
        (noisy(200, 1.0, 0.5, noise=0.05), "falling by 0.25"),
        (noisy(200, 0.5, 1.0, noise=0.05), "rising by 0.25"),
        (noisy(200, 0.2, -0.3, noise=0.05), "falling by 0.25"),
        (noisy(200, -1.0, -0.5, noise=0.05), "rising by 0.25"),
        (noisy(200, 1.0, 1.0, noise=0.05), "level"),
        (noisy(200, 1.0, 0.98, noise=0.4), "level"),
        (noisy(200, 1.0, 0.9, noise=0.4), "level"),
    ],
)
def test_a_trend_is_told_only_where_noise_can_not_be_all_of_it(act, losses, told):
    training, figures = act()
    training.steps_of(losses)
    assert str(figures.trend) == told


def test_a_trend_forgets_what_is_long_ago(act):
    training, figures = act()
    training.steps_of(noisy(500, 9.0, 1.0) + noisy(200, 1.0, 1.0, noise=0.01))
    assert str(figures.trend) == "level"


def test_the_time_left_follows_the_speed_of_late_not_that_of_the_start(act):
    training, figures = act(steps=1000)
    training.steps_of([1.0] * 100, seconds=10.0)
    assert figures.seconds_left(training) == pytest.approx(9000)
    training.steps_of([1.0] * 300, seconds=0.5)
    assert figures.speed == pytest.approx(2.0)
    assert figures.seconds_left(training) == pytest.approx(300)
    assert 110 <= figures._pace[-1][0] - figures._pace[0][0] <= 130


def test_the_time_left_is_that_of_minutes_where_they_end_first(act):
    training, figures = act(steps=100_000, minutes=2)
    assert figures.seconds_left(training) is None
    training.steps_of([1.0] * 30, seconds=1.0)
    assert figures.seconds_left(training) == pytest.approx(90)
    training.steps_of([1.0] * 100, seconds=1.0)
    assert figures.seconds_left(training) == 0


def test_what_was_trained_before_an_interruption_does_not_count_as_speed(tmp_path):
    figures = RunningStats()
    training = Acted(tmp_path, figures, steps=1000)
    training.state.step, training.state.seconds = 500, 50.0
    training.begin()
    training.steps_of([1.0] * 10, seconds=2.0)
    assert (figures.speed, figures.seconds_left(training)) == (0.5, 980)


def test_quick_steps_take_no_more_memory_than_slow_ones(act):
    training, figures = act(steps=10**6)
    training.steps_of([1.0] * 5000, seconds=0.1)
    assert len(figures._pace) <= 123
    assert figures.speed == pytest.approx(10, rel=0.01)
