"""Embeddings with a bug each: their docstrings say which."""

import torch
from planted_suites import suites

import mousai_kit.api as mk
from mousai_kit.testing import EmbeddingContract

BANDS = 4


class BandLevels(mk.Embedding):
    """Levels of a few bands, window by window."""

    name = "band-levels"

    def __init__(self, options, *, sample_rate):
        super().__init__(options, sample_rate=sample_rate)
        self.features = BANDS
        self.length = sample_rate // 2

    def forward(self, wave):
        windows = self.windows(wave.mean(1))
        return torch.stack([self.levels(window) for window in windows], 1)

    def windows(self, mono):
        return mono.split(self.length, 1)

    def levels(self, window):
        power = torch.fft.rfft(window, n=self.length).abs().square()
        return torch.stack([self.decibels(it.mean(1)) for it in power.chunk(BANDS, 1)], 1)

    def decibels(self, power):
        return power.clamp(min=1e-8).log10()


class OneVector(BandLevels):
    """It gives a vector of each clip, without a dimension for several."""

    breaks = "test_each_clip_has_vectors_of_its_size"

    def forward(self, wave):
        return super().forward(wave).mean(1)


class InDoubles(BandLevels):
    """Its vectors are of double precision."""

    breaks = "test_each_clip_has_vectors_of_its_size"

    def forward(self, wave):
        return super().forward(wave.double())


class OneTooMany(BandLevels):
    """It says one feature more than it gives."""

    breaks = "test_each_clip_has_vectors_of_its_size"

    def __init__(self, options, *, sample_rate):
        super().__init__(options, sample_rate=sample_rate)
        self.features = BANDS + 1


class WholeWindows(BandLevels):
    """It hears whole windows only: a short clip has no vector."""

    breaks = "test_each_clip_has_vectors_of_its_size"

    def forward(self, wave):
        found = super().forward(wave)
        return found[:, : wave.shape[-1] // self.length]


class LogOfNothing(BandLevels):
    """It takes the logarithm of silence."""

    breaks = "test_vectors_are_finite_for_silence_too"

    def decibels(self, power):
        return power.log10()


class BatchCentred(BandLevels):
    """It takes off the mean of the batch."""

    breaks = "test_a_clip_has_the_same_vectors_alone_and_in_a_batch"

    def forward(self, wave):
        found = super().forward(wave)
        return found - found.mean(0)


class FirstClip(BandLevels):
    """It gives every clip the vectors of the first."""

    breaks = "test_a_clip_has_the_same_vectors_alone_and_in_a_batch"

    def forward(self, wave):
        return super().forward(wave[:1]).expand(len(wave), -1, -1)


class Deaf(BandLevels):
    """It hears nothing but how long a clip is."""

    breaks = "test_other_sounds_have_other_vectors"

    def forward(self, wave):
        return torch.full_like(super().forward(wave), wave.shape[-1])


class Dithered(BandLevels):
    """It adds noise that nobody gave it."""

    breaks = "test_the_same_sound_has_the_same_vectors_by_chance_of_nothing"

    def forward(self, wave):
        found = super().forward(wave)
        return found + 1e-6 * torch.randn_like(found)


class InPlace(BandLevels):
    """It takes the mean off the very sounds it is given."""

    breaks = "test_the_same_sound_has_the_same_vectors_by_chance_of_nothing"

    def forward(self, wave):
        wave -= wave.mean(-1, keepdim=True)
        return super().forward(wave)


class Remembering(BandLevels):
    """It gives the mean with what it heard before."""

    breaks = "test_the_same_sound_has_the_same_vectors_by_chance_of_nothing"
    before = 0.0

    def forward(self, wave):
        found = super().forward(wave) + self.before
        self.before = float(found.mean()) / 2
        return found


class Unlabelled(BandLevels):
    """It says that it classifies, and has no labels."""

    classifies = True
    breaks = "test_probabilities_sum_to_one"


class LevelsForProbabilities(BandLevels):
    """It gives levels where it says probabilities."""

    classifies = True
    labels = ("a", "b", "c", "d")
    breaks = "test_probabilities_sum_to_one"


class TooFewLabels(BandLevels):
    """It has a label less than probabilities."""

    classifies = True
    labels = ("a", "b", "c")
    breaks = "test_probabilities_sum_to_one"

    def forward(self, wave):
        return super().forward(wave).softmax(-1)


class TextOfZeros(BandLevels):
    """It reads no text, and gives vectors of it."""

    breaks = "test_texts_are_read_or_refused"

    def embed_text(self, prompts):
        return torch.zeros(len(prompts), BANDS)


class AllTextsAlike(BandLevels):
    """It reads how many texts there are."""

    reads_text = True
    breaks = "test_texts_are_read_or_refused"

    def embed_text(self, prompts):
        return torch.ones(len(prompts), BANDS)


class TextsOfABatch(BandLevels):
    """It takes off the mean of the texts that it is given together."""

    reads_text = True
    breaks = "test_texts_are_read_or_refused"

    def embed_text(self, prompts):
        lengths = torch.tensor([float(len(it)) for it in prompts])
        return (lengths - lengths.mean())[:, None].expand(-1, BANDS)


globals().update(suites(EmbeddingContract, BandLevels))
