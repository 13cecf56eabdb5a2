"""Curves: all that was logged, in the room of a picture, drawn seldom enough to cost little."""

import io
import json
import math

import numpy as np
import pytest
from acting import Acted, noisy
from matplotlib import image

from mousai_kit.training.callbacks import curves
from mousai_kit.training.callbacks.curves import (
    LIMIT,
    BinnedSeries,
    CurvePlot,
    MetricsHistory,
    draw_curves,
)


@pytest.fixture
def act(tmp_path):
    def begun(now=False, **settings):
        observer = CurvePlot(tmp_path / "log.jsonl", tmp_path / "loss.png")
        observer._next = 0.0 if now else math.inf
        training = Acted(tmp_path, observer, **settings)
        training.begin()
        return training, observer

    return begun


def series_of(values):
    series = BinnedSeries()
    for step, value in enumerate(values, 1):
        series.add(step, value)
    return series


def pixels(picture):
    return image.imread(io.BytesIO(picture))


@pytest.mark.parametrize("count", [1, 2, LIMIT, LIMIT + 1, 5 * LIMIT + 3])
def test_a_series_of_any_length_keeps_means_and_extremes_in_few_bins(count):
    values = np.random.default_rng(0).normal(size=count)
    found = series_of(values).curve()
    width = series_of(values).width
    assert len(found.steps) <= LIMIT
    assert width == max(1, 2 ** math.ceil(math.log2(count / LIMIT)))
    groups = [values[i : i + width] for i in range(0, count, width)]
    np.testing.assert_allclose(found.means, [it.mean() for it in groups])
    assert found.lowest.tolist() == [it.min() for it in groups]
    assert found.highest.tolist() == [it.max() for it in groups]


def test_a_bin_lies_in_the_middle_of_its_steps():
    assert series_of([1.0] * 3).curve().steps.tolist() == [1, 2, 3]
    assert series_of([1.0] * (LIMIT + 2)).curve().steps[:2].tolist() == [1.5, 3.5]


def test_steps_far_apart_take_no_bins_for_what_lies_between():
    series = BinnedSeries()
    for step in (1000, 2000, 10**6):
        series.add(step, 1.0)
    assert series.curve().means.tolist() == [1.0] * 3


def test_smoothing_leaves_a_level_level_and_passes_over_what_is_not_finite():
    series = series_of([3.0, math.nan, math.inf] * 300)
    assert series.curve().smooth == pytest.approx(np.full(300, 3.0))


def test_smoothing_takes_noise_away_and_leaves_the_course():
    values = np.linspace(1, 0, 1000) + 0.3 * (-1.0) ** np.arange(1000)
    smooth = series_of(values).curve().smooth
    np.testing.assert_allclose(smooth[20:-20], np.linspace(1, 0, 1000)[20:-20], atol=0.01)


def test_the_picture_of_a_resumed_training_is_that_of_one_in_one_go(act, tmp_path):
    losses = noisy(120, 1.0, 0.2, noise=0.05)
    first, _ = act()
    first.steps_of(losses[:50])
    first.validated(right=0.5, other=0.7, none=0.8)
    second = Acted(tmp_path, CurvePlot(tmp_path / "log.jsonl", tmp_path / "loss.png"))
    second.state.step, second.state.seconds = first.step, first.seconds
    second.begin()
    second.steps_of(losses[50:])
    second.warn("careful")
    second.end()
    resumed = (tmp_path / "loss.png").read_bytes()
    whole, _ = act()
    whole.steps_of(losses[:50])
    whole.validated(right=0.5, other=0.7, none=0.8)
    whole.steps_of(losses[50:])
    whole.warn("careful")
    whole.end()
    assert resumed == (tmp_path / "loss.png").read_bytes()
    assert resumed == draw_curves({"toy": MetricsHistory.of(tmp_path / "log.jsonl")})


def painted(shown, colour):
    """Return which pixels have a colour."""
    wanted = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return (np.abs(shown[..., :3] - wanted) < 0.02).all(-1)


def test_each_curve_is_there_and_so_is_a_warning():
    def picture(*lines):
        history = MetricsHistory()
        for step, loss in enumerate(noisy(40, 1.0, 0.3), 1):
            history.add(step, {"loss": loss})
        for step, line in enumerate(lines, 20):
            history.add(step, line)
        return pixels(draw_curves({"toy": history}))

    def has(shown, colour):
        return painted(shown, colour).sum() > 20

    bare = picture()
    assert has(bare, curves.LOSS)
    for condition, colour in curves.COLOURS.items():
        assert not has(bare, colour)
        assert has(picture({"validation": {condition: 0.5}}), colour)
    for name, rows in (("gradient_norm", slice(435, 535)), ("learning_rate", slice(551, 651))):
        shown = picture(*({name: 0.1 * step} for step in (1, 2)))[rows, 85:975]
        assert np.abs(shown - bare[rows, 85:975]).max() > 0.3
    assert np.abs(picture({"warning": "x"}) - bare).max() > 0.3


def test_several_trainings_share_a_picture():
    one, other = MetricsHistory(), MetricsHistory()
    for step, loss in enumerate(noisy(40, 1.0, 0.3), 1):
        one.add(step, {"loss": loss})
        other.add(step, {"loss": 2 * loss, "gradient_norm": 1.0})
    alone, both = draw_curves({"a": one}), draw_curves({"a": one, "b": other})
    assert pixels(alone).shape == pixels(both).shape
    assert alone != both


@pytest.mark.parametrize(
    "line",
    ["", "nonsense", "[1]", "null", '{"loss": 1}', '{"step": "x", "loss": 1}', '{"step": 1, "los'],
)
def test_a_broken_line_of_a_log_tells_nothing(tmp_path, line):
    good = json.dumps({"step": 2, "loss": 0.5})
    (tmp_path / "log.jsonl").write_text(f"{line}\n{good}\n")
    assert MetricsHistory.of(tmp_path / "log.jsonl").steps["loss"].curve().means.tolist() == [0.5]


def test_a_log_of_an_earlier_version_has_no_learning_rate_and_is_drawn():
    history = MetricsHistory()
    for step in range(1, 30):
        history.add(step, {"loss": 1 / step, "gradient_norm": 1.0})
    assert pixels(draw_curves({"toy": history})).shape == (700, 1000, 4)


@pytest.mark.parametrize("wrong", [0.9, 40.0, 4e4])
def test_what_is_learned_is_seen_however_much_worse_a_wrong_condition_is(wrong):
    history = MetricsHistory()
    for step, loss in enumerate(noisy(400, 0.5, -0.5, noise=0.1), 1):
        history.add(step, {"loss": loss})
    history.add(200, {"validation": {"right": 0.1, "other": wrong}})
    left_of_the_legend = pixels(draw_curves({"toy": history}))[40:418, 85:800]
    rows = painted(left_of_the_legend, curves.LOSS).any(1).nonzero()[0]
    assert rows.max() - rows.min() > 100


@pytest.mark.parametrize("loss", [0.0, -1.0, 1e-30, 1e30])
def test_any_loss_can_be_drawn(loss):
    history = MetricsHistory()
    for step in range(1, 30):
        history.add(step, {"loss": loss})
    assert pixels(draw_curves({"toy": history})).shape == (700, 1000, 4)


def test_a_few_steps_are_no_curve(act, tmp_path):
    training, _ = act()
    training.steps_of([1.0] * 9)
    training.end()
    assert not (tmp_path / "loss.png").exists()


def test_drawing_waits_fifty_times_as_long_as_it_takes(act, tmp_path, monkeypatch):
    now, pictures = [100.0], []

    def slow(histories):
        now[0] += 2.0
        pictures.append(now[0])
        return b"picture"

    monkeypatch.setattr(curves, "draw_curves", slow)
    monkeypatch.setattr(curves.time, "monotonic", lambda: now[0])
    training, _ = act(now=True)
    training.steps_of([1.0] * 20)
    for _ in range(30):
        now[0] += 10.0
        training.validated(right=1.0)
    assert pictures == [112.0, 214.0, 316.0]
    training.end()
    assert len(pictures) == 4
