"""Clips whose samples are their vectors, so that a test says what an embedding would find."""

from typing import ClassVar

import torch

import mousai_kit.api as mk


class Samples(mk.Embedding):
    """The samples themselves: a channel is a vector."""

    name = "samples"
    features = 0

    def forward(self, wave):
        return wave.float()


class Posteriors(Samples):
    """The samples themselves, which are probabilities of 'a', 'b' and so on."""

    name = "posteriors"
    classifies: ClassVar[bool] = True


class Words(Samples):
    """The samples themselves; a text's vector is how often each letter of 'abc' is in it."""

    name = "words"
    reads_text: ClassVar[bool] = True

    def embed_text(self, prompts):
        return torch.tensor([[float(text.count(letter)) for letter in "abc"] for text in prompts])


def measured_by(metric, embedding=Samples, **options):
    """Return a metric that rests on one of these embeddings."""
    use = mk.Use(embedding, mk.Options())
    found = metric.Options.model_validate({"embedding": use, **options}, context={"registry": None})
    return metric(found, sample_rate=100)


def clip(vectors, text="", *, source="", genre=""):
    """Return a clip of vectors [n, d], or of one [d]."""
    wave = torch.as_tensor(vectors, dtype=torch.float32)
    facts = {"genre": genre} if genre else {}
    return mk.Clip(wave.reshape(-1, wave.shape[-1]), text, source=source, facts=facts)


def clips(vectors, texts=None, *, sources=None, genres=None):
    """Return a set of clips [k, n, d] or [k, d]."""
    count = len(vectors)
    texts, genres = texts or [""] * count, genres or [""] * count
    sources = sources or [f"{number}.wav" for number in range(count)]
    rows = zip(vectors, texts, sources, genres, strict=True)
    return mk.ClipSet([clip(v, text, source=s, genre=genre) for v, text, s, genre in rows])


NOTHING = mk.ClipSet([])


def real(train=NOTHING, validation=NOTHING):
    """Return music that was learned from, and that was held out."""
    return mk.RealClips(train, validation)
