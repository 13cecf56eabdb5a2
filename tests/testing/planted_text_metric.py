"""Metrics of clips and texts with a bug each: their docstrings say which."""

from zlib import crc32

import torch
from planted_suites import suites

import mousai_kit.api as mk
from mousai_kit.testing import TextMetricContract


class LevelByText(mk.TextMetric):
    """Nearness of a clip's level to the one that a text asks for."""

    name = "level-by-text"
    unit = ""
    better = "higher"

    def __init__(self, options, *, sample_rate):
        self.sample_rate = sample_rate

    def score(self, generated, reference):
        return [
            self.compare(clip.wave, text)
            for clip, text in zip(generated.clips, reference, strict=True)
        ]

    def compare(self, wave, text):
        return -abs(float(wave.square().mean().sqrt()) - self.wanted(text))

    def wanted(self, text):
        return crc32(text.encode()) % 997 / 997


class OneForAll(LevelByText):
    """It gives the mean of all clips."""

    breaks = "test_each_clip_has_a_finite_score"

    def score(self, generated, reference):
        scores = super().score(generated, reference)
        return [sum(scores) / len(scores)]


class ATensor(LevelByText):
    """It gives a tensor of scores."""

    breaks = "test_each_clip_has_a_finite_score"

    def score(self, generated, reference):
        return torch.tensor(super().score(generated, reference))


class OfTensors(LevelByText):
    """Its scores are tensors."""

    breaks = "test_each_clip_has_a_finite_score"

    def compare(self, wave, text):
        return torch.tensor(super().compare(wave, text))


class Endless(LevelByText):
    """Its score of what does not fit is without end."""

    breaks = "test_each_clip_has_a_finite_score"

    def compare(self, wave, text):
        return -float("inf") if super().compare(wave, text) < 0 else 0.0


class Relative(LevelByText):
    """It takes off the mean of the clips that are scored together."""

    breaks = "test_clips_do_not_influence_each_other"

    def score(self, generated, reference):
        scores = super().score(generated, reference)
        return [score - sum(scores) / len(scores) for score in scores]


class LastText(LevelByText):
    """It compares all clips with the last text."""

    breaks = "test_clips_do_not_influence_each_other"

    def score(self, generated, reference):
        return super().score(generated, [reference[-1]] * len(reference))


class Illiterate(LevelByText):
    """It reads no text."""

    breaks = "test_another_text_has_another_score"

    def wanted(self, text):
        return 0.3


class OwnCaption(LevelByText):
    """It reads the clip's own caption in place of the text."""

    breaks = "test_another_text_has_another_score"

    def score(self, generated, reference):
        return super().score(generated, generated.prompts)


class Dithered(LevelByText):
    """It draws noise that nobody gave it."""

    breaks = "test_the_same_clips_score_the_same_by_chance_of_nothing"

    def compare(self, wave, text):
        return super().compare(wave, text) + 1e-6 * float(torch.rand(1))


class Remembering(LevelByText):
    """It adds a little for every clip that it has heard."""

    breaks = "test_the_same_clips_score_the_same_by_chance_of_nothing"
    heard = 0

    def compare(self, wave, text):
        self.heard += 1
        return super().compare(wave, text) + 1e-6 * self.heard


class InPlace(LevelByText):
    """It takes the mean off the very sounds it is given."""

    breaks = "test_the_same_clips_score_the_same_by_chance_of_nothing"

    def compare(self, wave, text):
        wave -= wave.mean()
        return super().compare(wave, text)


globals().update(suites(TextMetricContract, LevelByText))
