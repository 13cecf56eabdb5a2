"""Metrics with a bug each: their docstrings say which."""

import torch
from planted_suites import suites

import mousai_kit.api as mk
from mousai_kit.testing import MetricContract


class WaveDistance(mk.Metric):
    """Mean distance of samples."""

    name = "wave-distance"
    unit = ""
    better = "lower"

    def __init__(self, options, *, sample_rate):
        self.sample_rate = sample_rate

    def score(self, generated, reference):
        return float((generated - reference).abs().mean())


class NoUnit(WaveDistance):
    """It says no unit."""

    unit = None
    breaks = "test_a_plug_in_may_offer_it"


class Less(WaveDistance):
    """It calls lower 'less'."""

    better = "less"
    breaks = "test_a_plug_in_may_offer_it"


class OfTensors(WaveDistance):
    """Its score is a tensor."""

    breaks = "test_a_score_is_a_finite_float"

    def score(self, generated, reference):
        return (generated - reference).abs().mean()


class SecondsOnly(WaveDistance):
    """It takes whole seconds only: a shorter sound has no score."""

    breaks = "test_a_score_is_a_finite_float"

    def score(self, generated, reference):
        whole = generated.shape[-1] // self.sample_rate * self.sample_rate
        return super().score(generated[..., :whole], reference[..., :whole])


class SilenceDivides(WaveDistance):
    """It divides by the loudness of silence."""

    breaks = "test_silence_has_a_finite_score"

    def score(self, generated, reference):
        off = (generated - reference).norm() / reference.norm()
        return float(off)


class SignFlipped(WaveDistance):
    """It gives nearness where it says distance."""

    breaks = "test_identical_sets_score_best"

    def score(self, generated, reference):
        return -super().score(generated, reference)


class SaysHigher(WaveDistance):
    """It says that a larger distance is better."""

    better = "higher"
    breaks = "test_identical_sets_score_best"


class FirstReference(WaveDistance):
    """It compares every clip with the first."""

    breaks = "test_the_order_of_the_pairs_does_not_matter"

    def score(self, generated, reference):
        return super().score(generated, reference[:1])


class Saturated(WaveDistance):
    """It calls everything beyond a bound equally bad."""

    breaks = "test_more_noise_scores_worse"

    def score(self, generated, reference):
        return min(super().score(generated, reference), 0.05)


class LeftOnly(WaveDistance):
    """It hears the first channel."""

    breaks = "test_every_clip_channel_and_moment_counts"

    def score(self, generated, reference):
        return super().score(generated[:, :1], reference[:, :1])


class FirstClip(WaveDistance):
    """It hears the first clip."""

    breaks = "test_every_clip_channel_and_moment_counts"

    def score(self, generated, reference):
        return super().score(generated[0], reference[0])


class Beginning(WaveDistance):
    """It hears a window's length and no more."""

    breaks = "test_every_clip_channel_and_moment_counts"

    def score(self, generated, reference):
        return super().score(generated[..., :2048], reference[..., :2048])


class InOrder(WaveDistance):
    """Later clips count for more."""

    breaks = "test_the_order_of_the_pairs_does_not_matter"

    def score(self, generated, reference):
        weights = torch.arange(1.0, len(generated) + 1)[:, None, None]
        return super().score(weights * generated, weights * reference)


class InPlace(WaveDistance):
    """It subtracts in the very sounds it is given."""

    breaks = "test_the_sounds_are_left_as_they_were"

    def score(self, generated, reference):
        generated -= reference
        return float(generated.abs().mean())


class Dithered(WaveDistance):
    """It draws noise that nobody gave it."""

    breaks = "test_the_same_sounds_score_the_same_by_chance_of_nothing"

    def score(self, generated, reference):
        dither = 1e-6 * torch.randn_like(reference)
        return float((generated - reference).abs().mean() + dither.abs().mean())


class Remembering(WaveDistance):
    """It gives the mean of all that it has scored."""

    breaks = "test_the_same_sounds_score_the_same_by_chance_of_nothing"

    def __init__(self, options, *, sample_rate):
        self.scores = []

    def score(self, generated, reference):
        self.scores.append(super().score(generated, reference))
        return sum(self.scores) / len(self.scores)


globals().update(suites(MetricContract, WaveDistance))
