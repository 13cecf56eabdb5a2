"""Metrics: nothing between equal sounds, more between worse ones, and known values."""

import pytest
import torch
from pydantic import ValidationError

from mousai_kit_mousai.metrics import LogMelDistance, MultiResolutionSTFT

RATE = 16000
METRICS = [LogMelDistance, MultiResolutionSTFT]


def metric(component, **options):
    return component(component.Options(**options), sample_rate=RATE)


def loud(*shape, seed=0):
    return 0.3 * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("component", METRICS)
class TestEveryMetric:
    def test_equal_sounds_are_at_no_distance(self, component):
        assert metric(component).score(loud(2, 2, 8000), loud(2, 2, 8000)) == 0

    def test_more_noise_is_worse(self, component):
        assert component.better == "lower"
        wave = loud(1, 2, 8000).cumsum(-1) * 0.02
        scores = [
            metric(component).score(wave + level * loud(1, 2, 8000, seed=1), wave)
            for level in (0, 0.01, 0.1, 1)
        ]
        assert scores == sorted(scores)
        assert len(set(scores)) == 4

    @pytest.mark.parametrize("length", [1, 100, 1023, 1024, 1025, 5000])
    def test_any_length_has_a_score(self, component, length):
        score = metric(component).score(loud(1, 2, length), loud(1, 2, length, seed=1))
        assert isinstance(score, float)
        assert 0 < score < 100

    def test_silence_has_a_score(self, component):
        silence = torch.zeros(1, 2, 5000)
        assert metric(component).score(silence, silence) == 0
        assert 0 < metric(component).score(loud(1, 2, 5000), silence) < float("inf")


class TestLogMelDistance:
    @pytest.mark.parametrize("decibels", [-6, 3, 6, 20])
    def test_a_gain_is_as_far_away_as_it_is_loud(self, decibels):
        wave = loud(1, 2, 16000)
        assert metric(LogMelDistance).unit == "dB"
        score = metric(LogMelDistance, bands=64).score(wave * 10 ** (decibels / 20), wave)
        assert score == pytest.approx(abs(decibels), abs=1e-3)

    def test_what_is_below_the_floor_makes_no_difference(self):
        wave = 1e-7 * loud(1, 2, 16000)
        assert metric(LogMelDistance, bands=64).score(wave * 2, wave) == 0

    def test_a_set_scores_the_mean_of_its_clips(self):
        ours, theirs = loud(3, 2, 5000), loud(3, 2, 5000, seed=1)
        alone = [metric(LogMelDistance).score(ours[i : i + 1], theirs[i : i + 1]) for i in range(3)]
        assert metric(LogMelDistance).score(ours, theirs) == pytest.approx(sum(alone) / 3)

    def test_both_directions_are_alike(self):
        ours, theirs = loud(1, 2, 5000), loud(1, 2, 5000, seed=1)
        there = metric(LogMelDistance).score(ours, theirs)
        assert metric(LogMelDistance).score(theirs, ours) == pytest.approx(there)


class TestMultiResolutionSTFT:
    def test_a_doubled_sound_is_one_and_the_logarithm_of_two_away(self):
        """||2S - S|| / ||S|| is 1, and |log 2S - log S| is log 2 everywhere."""
        wave = loud(1, 2, 16000)
        score = metric(MultiResolutionSTFT).score(2 * wave, wave)
        assert score == pytest.approx(1.6931, abs=1e-3)

    def test_silence_in_place_of_sound_misses_all_of_it(self):
        one = metric(MultiResolutionSTFT, windows=[512])
        tone = torch.ones(1, 1, 512)
        assert one.score(torch.zeros_like(tone), tone) > 1

    def test_the_score_is_the_mean_over_windows(self):
        ours, theirs = loud(1, 2, 5000), loud(1, 2, 5000, seed=1)
        alone = [
            metric(MultiResolutionSTFT, windows=[window]).score(ours, theirs)
            for window in (128, 1024)
        ]
        both = metric(MultiResolutionSTFT, windows=[128, 1024]).score(ours, theirs)
        assert both == pytest.approx(sum(alone) / 2)

    def test_frames_lie_a_quarter_of_a_window_apart(self):
        ours, theirs = (
            torch.stft(
                torch.nn.functional.pad(loud(1, 3000, seed=seed), (64, 64)),
                128,
                32,
                window=torch.hann_window(128),
                center=False,
                return_complex=True,
            ).abs()
            for seed in (0, 1)
        )
        expected = (theirs - ours).norm() / theirs.norm() + (theirs / ours).log().abs().mean()
        waves = (loud(1, 3000, seed=seed)[None] for seed in (0, 1))
        score = metric(MultiResolutionSTFT, windows=[128]).score(*waves)
        assert score == pytest.approx(expected.item(), rel=1e-4)

    @pytest.mark.parametrize("windows", [[], [0], [3], [512, -1], [1 << 20]])
    def test_windows_that_no_transform_can_take_are_refused(self, windows):
        with pytest.raises(ValidationError):
            MultiResolutionSTFT.Options(windows=windows)
