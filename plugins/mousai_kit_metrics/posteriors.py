"""Posteriors: metrics of what a classifier hears in clips. n clips, d labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from pydantic import field_validator
from torch import Tensor

import mousai_kit.api as mk
from mousai_kit_metrics.sets import mean_vectors

EPSILON = 1e-6
"""Added to the probability that is compared, as MusicGen's evaluation does."""


class PosteriorOptions(mk.Options):
    """Options of metrics that rest on a classifier's posterior."""

    embedding: mk.Use[mk.Embedding] = mk.default("audio-tagger")

    @field_validator("embedding")
    @classmethod
    def _check_classifies(cls, use: mk.Use[mk.Embedding]) -> mk.Use[mk.Embedding]:
        if not use.component.classifies:
            told = "must be an embedding that classifies, such as audio-tagger"
            raise ValueError(f"{told} (got '{use.component.name}')")
        return use


class PosteriorMetric(mk.SetMetric):
    """A metric of sets of clips in a classifier's posterior, the mean over a clip's windows."""

    Options = PosteriorOptions
    unit: ClassVar[str] = ""
    better: ClassVar[Literal["lower", "higher"]]

    def __init__(self, options: PosteriorOptions, *, sample_rate: int) -> None:
        self.embedding = options.embedding.build(sample_rate=sample_rate).eval()

    @property
    def embeddings(self) -> Sequence[mk.Embedding]:
        """Return the classifier."""
        return (self.embedding,)

    def posteriors(self, clips: mk.ClipSet) -> Tensor:
        """Return each clip's posterior [n, d]."""
        return mean_vectors(clips, self.embedding)


def kl_divergence(real: Tensor, other: Tensor) -> Tensor:
    """Return KL(real || other) [...] in nats of posteriors [..., d]; `other` gets EPSILON added."""
    return (torch.xlogy(real, real) - real * (other + EPSILON).log()).sum(-1)
