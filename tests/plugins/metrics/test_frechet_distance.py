"""Frechet distance: the formula, as others compute it, and what few clips do to it."""

import numpy as np
import pytest
import torch
from sampled_clips import clips, measured_by, real
from scipy.linalg import sqrtm
from torchmetrics.image.fid import FrechetInceptionDistance

import mousai_kit.api as mk
from mousai_kit_metrics.frechet import (
    ENDLESS,
    FrechetDistance,
    Gaussian,
    extrapolate,
    frechet_distance,
)


def drawn(count, features=6, *, seed=0, shift=0.0):
    """Return vectors of a Gaussian whose features have different spreads and hang together."""
    draw = torch.Generator().manual_seed(seed)
    mixing = torch.linspace(0.2, 3, features).diag() + 0.3
    return (torch.randn(count, features, generator=draw) @ mixing + shift).double()


def distance(one, other):
    return frechet_distance(Gaussian.fit(one), Gaussian.fit(other))


def by_scipy(one, other):
    """Return the published formula with a matrix square root."""
    one, other = one.numpy(), other.numpy()
    first, second = np.cov(one.T), np.cov(other.T)
    root = sqrtm(first @ second).real
    means = ((one.mean(0) - other.mean(0)) ** 2).sum()
    return means + np.trace(first + second - 2 * root)


class Unchanged(torch.nn.Module):
    """What torchmetrics takes for a network."""

    num_features = 6

    def forward(self, vectors):
        return vectors


@pytest.mark.parametrize("shift", [0.0, 1.5])
def test_it_is_the_published_formula(shift):
    one, other = drawn(50, seed=1, shift=shift), drawn(80, seed=2)
    assert distance(one, other) == pytest.approx(by_scipy(one, other), rel=1e-9)


def test_torchmetrics_computes_the_same():
    one, other = drawn(50, seed=1, shift=0.5), drawn(80, seed=2)
    theirs = FrechetInceptionDistance(feature=Unchanged()).set_dtype(torch.float64)
    theirs.update(one, real=False)
    theirs.update(other, real=True)
    assert distance(one, other) == pytest.approx(float(theirs.compute()), rel=1e-6)


def test_of_known_gaussians_it_is_what_the_formula_says():
    narrow = Gaussian(torch.zeros(2).double(), torch.eye(2).double())
    wide = Gaussian(torch.tensor([3.0, 4.0]).double(), 3 * torch.eye(2).double())
    assert frechet_distance(narrow, wide) == pytest.approx(25 + 2 * (3 - 1) ** 2)


def test_it_is_symmetric_and_0_for_the_same_clips():
    one, other = drawn(50, seed=1), drawn(80, seed=2)
    assert distance(one, other) == pytest.approx(distance(other, one), rel=1e-9)
    assert distance(one, one.flip(0)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("count", [2, 3, 6])
def test_few_vectors_of_many_features_are_no_special_case(count):
    one, other = drawn(count, 40, seed=1), drawn(60, 40, seed=2)
    eigenvalues = np.linalg.eigvals(np.cov(one.numpy().T) @ np.cov(other.numpy().T))
    shared = np.sqrt(np.clip(eigenvalues.real, 0, None)).sum()
    spreads = np.trace(np.cov(one.numpy().T)) + np.trace(np.cov(other.numpy().T))
    expected = (one.mean(0) - other.mean(0)).square().sum() + spreads - 2 * shared
    # eigvals finds what is 0 only to about 1e-14 of the largest, the root of which is 1e-7
    assert distance(one, other) == pytest.approx(float(expected), rel=1e-4)
    assert distance(one, one) == pytest.approx(0, abs=1e-9)


def test_a_feature_that_is_the_same_everywhere_changes_nothing():
    one, other = drawn(50, seed=1), drawn(80, seed=2)
    constant = [torch.cat([it, torch.full((len(it), 1), 7.0).double()], 1) for it in (one, other)]
    assert distance(*constant) == pytest.approx(distance(one, other), rel=1e-9)


def test_few_clips_make_it_too_large_and_the_extrapolation_takes_most_of_that_away():
    target = Gaussian.fit(drawn(20_000, 12, seed=9))
    few, endless = [], []
    for seed in range(8):
        some = list(drawn(60, 12, seed=seed)[:, None])
        few.append(frechet_distance(Gaussian.fit(torch.cat(some)), target))
        endless.append(extrapolate(some, target))
    assert sum(few) / 8 > 1
    assert abs(sum(endless) / 8) < sum(few) / 8 / 4


class TestMetric:
    def test_it_tells_of_what_the_figures_are(self):
        made, train, held_out = (drawn(count, seed=count) for count in (30, 40, 20))
        metric = measured_by(FrechetDistance)
        score = metric.score(clips(made), real(clips(train), clips(held_out)))
        assert score.value == pytest.approx(distance(made.float(), train.float()), rel=1e-6)
        expected = distance(held_out.float(), train.float())
        assert score.beside["real music"] == pytest.approx(expected, rel=1e-6)
        assert list(score.beside) == [ENDLESS, "real music"]
        told = "30 generated clips (30 vectors) against 40 train clips (40 vectors)"
        assert score.note == told
        assert metric.label == "frechet-distance (samples)"

    def test_clips_of_several_vectors_count_with_all_of_them(self):
        made = drawn(40, seed=1).reshape(10, 4, 6)
        train = drawn(80, seed=2)
        score = measured_by(FrechetDistance).score(clips(made), real(clips(train)))
        expected = distance(made.reshape(40, 6).float(), train.float())
        assert score.value == pytest.approx(expected, rel=1e-6)
        told = "10 generated clips (40 vectors) against 80 train clips (80 vectors)"
        assert score.note == told

    def test_held_out_clips_can_be_what_it_compares_with(self):
        made, train, held_out = (drawn(count, seed=count) for count in (30, 40, 20))
        metric = measured_by(FrechetDistance, against="validation")
        score = metric.score(clips(made), real(clips(train), clips(held_out)))
        assert score.value == pytest.approx(distance(made.float(), held_out.float()), rel=1e-6)
        assert "against 20 validation clips" in score.note

    def test_so_few_vectors_that_it_is_far_too_large_are_told(self):
        score = measured_by(FrechetDistance).score(clips(drawn(4)), real(clips(drawn(9))))
        assert score.note == (
            "4 generated clips (4 vectors) against 9 train clips (9 vectors); "
            "fewer vectors than the 6 features: far too large"
        )
        assert list(score.beside) == []

    def test_the_extrapolation_does_not_depend_on_the_order_of_clips(self):
        made, train = drawn(20), clips(drawn(40, seed=2))
        one, other = (
            measured_by(FrechetDistance).score(clips(it), real(train))
            for it in (made, made.flip(0))
        )
        assert one.beside[ENDLESS] == pytest.approx(other.beside[ENDLESS], rel=1e-6)

    def test_a_single_clip_is_too_few(self):
        with pytest.raises(mk.RequestError) as raised:
            measured_by(FrechetDistance).score(clips(drawn(1)), real(clips(drawn(9))))
        assert str(raised.value) == (
            "frechet-distance: needs 2 generated clips or more; raise `evaluate.generated` (got 1)"
        )

    @pytest.mark.parametrize(
        ("against", "other"), [("train", "validation"), ("validation", "train")]
    )
    def test_too_little_real_music(self, against, other):
        metric = measured_by(FrechetDistance, against=against)
        with pytest.raises(mk.RequestError) as raised:
            metric.score(clips(drawn(9)), real(clips(drawn(1)), clips(drawn(1))))
        assert str(raised.value) == (
            f"frechet-distance: needs 2 {against} clips or more; "
            f"give more music, raise `evaluate.real`, or set `against: {other}` (got 1)"
        )
