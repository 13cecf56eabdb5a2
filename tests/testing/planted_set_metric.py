"""Metrics of sets with a bug each: their docstrings say which."""

import torch
from planted_suites import suites

import mousai_kit.api as mk
from mousai_kit.testing import SetMetricContract


class MeanDistance(mk.SetMetric):
    """Distance of the mean vectors of clips and of training clips."""

    name = "mean-distance"
    unit = ""
    better = "lower"

    class Options(mk.Options):
        """Options of `metric: mean-distance`."""

        embedding: mk.Use[mk.Embedding] = mk.default("mel-statistics")

    def __init__(self, options, *, sample_rate):
        self.embedding = options.embedding.build(sample_rate=sample_rate)

    @property
    def embeddings(self):
        return (self.embedding,)

    def score(self, generated, reference):
        self.check(generated, reference.train)
        off = self.mean(generated) - self.mean(reference.train)
        return self.say(float(off.norm()))

    def check(self, *sets):
        if not all(map(len, sets)):
            raise mk.RequestError.about(self.name, "needs clips of both sets")

    def mean(self, clips):
        return torch.cat(clips.vectors(self.embedding)).mean(0)

    def say(self, distance):
        return mk.SetScore(distance, {"real music": 0.0}, "all clips", [self.table()])

    def table(self):
        return mk.Matrix(["a", "b"], ["a", "b"], [[0.5, 0.5], [0.0, 0.0]])


class OfTensors(MeanDistance):
    """Its score is a tensor."""

    breaks = "test_a_score_is_finite_and_its_tables_are_shares"

    def say(self, distance):
        return mk.SetScore(torch.tensor(distance))


class AFloat(MeanDistance):
    """It gives a number where a score with all that is beside it is asked for."""

    breaks = "test_a_score_is_finite_and_its_tables_are_shares"

    def say(self, distance):
        return distance


class NothingBeside(MeanDistance):
    """A figure beside it is no number."""

    breaks = "test_a_score_is_finite_and_its_tables_are_shares"

    def say(self, distance):
        return mk.SetScore(distance, {"real music": float("nan")})


class Counts(MeanDistance):
    """Its table has counts in place of shares."""

    breaks = "test_a_score_is_finite_and_its_tables_are_shares"

    def table(self):
        return mk.Matrix(["a", "b"], ["a", "b"], [[3, 1], [0, 4]])


class RowTooFew(MeanDistance):
    """A row of its table is missing."""

    breaks = "test_a_score_is_finite_and_its_tables_are_shares"

    def table(self):
        return mk.Matrix(["a", "b"], ["a", "b"], [[0.5, 0.5]])


class SignFlipped(MeanDistance):
    """It gives nearness where it says distance."""

    breaks = "test_real_music_scores_better_than_noise"

    def say(self, distance):
        return super().say(-distance)


class SaysHigher(MeanDistance):
    """It says that a larger distance is better."""

    better = "higher"
    breaks = "test_real_music_scores_better_than_noise"


class FirstHalf(MeanDistance):
    """It hears the first half of the clips."""

    breaks = "test_the_order_of_the_clips_does_not_matter"

    def mean(self, clips):
        return torch.cat(clips.vectors(self.embedding)[: len(clips) // 2 + 1]).mean(0)


class LaterCountMore(MeanDistance):
    """Later clips count for more."""

    breaks = "test_the_order_of_the_clips_does_not_matter"

    def mean(self, clips):
        vectors = torch.stack([it.mean(0) for it in clips.vectors(self.embedding)])
        weights = torch.arange(1.0, len(vectors) + 1)[:, None]
        return (weights * vectors).sum(0) / weights.sum()


class Unchecked(MeanDistance):
    """It fails where there are no clips."""

    breaks = "test_few_clips_are_scored_or_refused_in_a_line"

    def check(self, *sets):
        pass


class MeanOfNothing(MeanDistance):
    """It gives what is no number where there are no clips."""

    breaks = "test_few_clips_are_scored_or_refused_in_a_line"

    def check(self, *sets):
        pass

    def mean(self, clips):
        return super().mean(clips) if len(clips) else torch.zeros(1) / 0


class ToldInLines(MeanDistance):
    """It tells what is missing in two lines."""

    breaks = "test_few_clips_are_scored_or_refused_in_a_line"

    def check(self, *sets):
        if not all(map(len, sets)):
            raise mk.RequestError.about(self.name, "needs clips\nof both sets")


class Dithered(MeanDistance):
    """It draws noise that nobody gave it."""

    breaks = "test_the_same_clips_score_the_same_by_chance_of_nothing"

    def say(self, distance):
        return super().say(distance + 1e-6 * float(torch.rand(1)))


class Remembering(MeanDistance):
    """It gives the mean of all that it has scored."""

    breaks = "test_the_same_clips_score_the_same_by_chance_of_nothing"

    def __init__(self, options, *, sample_rate):
        super().__init__(options, sample_rate=sample_rate)
        self.scores = []

    def say(self, distance):
        self.scores.append(distance)
        return super().say(sum(self.scores) / len(self.scores))


class InPlace(MeanDistance):
    """It takes the mean off the very sounds it is given."""

    breaks = "test_the_same_clips_score_the_same_by_chance_of_nothing"

    def mean(self, clips):
        for clip in clips.clips:
            clip.wave.sub_(clip.wave.mean())
        return super().mean(clips)


class Nameless(MeanDistance):
    """Its label keeps quiet about the embedding."""

    breaks = "test_its_label_names_the_embeddings"
    label = "mean-distance"


globals().update(suites(SetMetricContract, MeanDistance))
