"""Metrics of sets and of texts, and what they rest on, so small that they can be foreseen."""

import torch

import mousai_kit.api as mk
from mousai_kit.core.plugins import installed_registry


class Loudness(mk.Embedding):
    """The loudness of each half of a clip."""

    name = "loudness-of-halves"

    class Options(mk.Options):
        """Options of the embedding."""

        scale: float = mk.Field(1.0, description="factor of all vectors")

    def __init__(self, options, *, sample_rate):
        super().__init__(options, sample_rate=sample_rate)
        self.features, self.asked = 1, 0

    def forward(self, wave):
        """Return the level [b, 2, 1]."""
        self.asked += 1
        halves = wave.chunk(2, -1)
        levels = torch.stack([it.square().mean((1, 2)).sqrt() for it in halves], 1)
        return self.options.scale * levels[..., None]


class Broken(Loudness):
    """An embedding whose vectors are not finite."""

    name = "broken"

    def forward(self, wave):
        """Return NaN."""
        return super().forward(wave) * float("nan")


class LevelDistance(mk.SetMetric):
    """How far the mean level of clips is from that of the music that was learned from."""

    name = "level-distance"
    unit = ""
    better = "lower"

    class Options(mk.Options):
        """Options of the metric."""

        embedding: mk.Use[mk.Embedding] = mk.default("loudness-of-halves")

    def __init__(self, options, *, sample_rate):
        self.embedding = options.embedding.build(sample_rate=sample_rate)

    @property
    def embeddings(self):
        """Return the embedding."""
        return (self.embedding,)

    def score(self, generated, reference):
        """Return the distance."""
        if len(generated) < 2:
            raise mk.RequestError(
                "level-distance: needs 2 clips or more (got 1); raise `evaluate.generated`"
            )
        ours, real, held = (
            float(sum(it.mean() for it in clips.vectors(self.embedding)) / max(1, len(clips)))
            for clips in (generated, reference.train, reference.validation)
        )
        return mk.SetScore(abs(ours - real), {"real": abs(held - real)}, f"{len(generated)} clips")


class GenreShare(mk.SetMetric):
    """How many clips are of the first genre."""

    name = "genre-share"
    unit = ""
    better = "higher"
    needs_genres = True

    def __init__(self, options, *, sample_rate):
        pass

    def score(self, generated, reference):
        """Return the share."""
        genres = sorted(set(generated.genres))
        share = generated.genres.count(genres[0]) / len(generated)
        rows = [[float(one == other) for other in genres] for one in genres]
        real = sum(map(bool, reference.train.genres))
        return mk.SetScore(
            share, note=f"{real} real", matrices=[mk.Matrix(genres, genres, rows, "sorted")]
        )


class WordCount(mk.TextMetric):
    """How many words a text has: so that right and other texts can be told apart."""

    name = "word-count"
    unit = "words"
    better = "higher"

    def __init__(self, options, *, sample_rate):
        pass

    def score(self, generated, reference):
        """Return the words of each text."""
        return [float(len(text.split())) for text in reference]


ALL = (Loudness, Broken, LevelDistance, GenreShare, WordCount)


def registry():
    """Return what is installed, and these."""
    found = installed_registry()
    for component in ALL:
        found = found.replacing(component, owner="small_metrics")
    return found
