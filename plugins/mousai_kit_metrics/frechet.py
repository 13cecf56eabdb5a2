"""Frechet distance of Gaussians, as FAD has it, with what it says of few clips.

Legend: n vectors, d features, k clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from torch import Tensor

import mousai_kit.api as mk
from mousai_kit_metrics.sets import REAL, check_count, check_generated, format_count, order_by_value

SIZES, DRAWS, SEED = 15, 3, 2024
"""How many sizes of subsets the extrapolation rests on, how many are drawn of each, and the seed
they are drawn with."""
FEWEST = 5
"""Clips that an extrapolation needs."""
ENDLESS = "with infinitely many clips"


@dataclass(frozen=True, slots=True)
class Gaussian:
    """The mean and the covariance of vectors, this as a root R: the covariance is R^T R."""

    mean: Tensor
    """[d]."""
    root: Tensor
    """[at most n, d]."""

    @classmethod
    def fit(cls, vectors: Tensor) -> Self:
        """Fit vectors [n, d], two or more, with the unbiased covariance, in double precision."""
        vectors = vectors.double()
        mean = vectors.mean(0)
        root = torch.linalg.qr(vectors - mean, mode="r").R
        return cls(mean, root / (len(vectors) - 1) ** 0.5)


def frechet_distance(one: Gaussian, other: Gaussian) -> float:
    """Return |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) (Dowson & Landau, 1982).

    With C = R^T R, the eigenvalues of C1 C2 that are not 0 are the squared singular values of
    R1 R2^T: the trace of the root is their sum. No matrix is inverted and no root of a negative
    number arises, whatever the rank: few vectors of many features are no special case.
    """
    means = (one.mean - other.mean).square().sum()
    spreads = one.root.square().sum() + other.root.square().sum()
    shared = torch.linalg.svdvals(one.root @ other.root.T).sum()
    return max(0.0, float(means + spreads - 2 * shared))


def extrapolate(clips: Sequence[Tensor], real: Gaussian) -> float | None:
    """Return the distance of infinitely many clips like these (Gui et al., 2024, FAD-infinity).

    The distance of k clips falls about linearly with 1 / k: a line through those of subsets meets
    1 / k = 0 there. Subsets are of whole clips, without replacement. None where there are too few.
    """
    if len(clips) < FEWEST:
        return None
    draw = np.random.default_rng(SEED)
    least = max(2, len(clips) // 3)
    sizes = sorted({round(size) for size in np.linspace(least, len(clips), SIZES)})
    inverse, distances = [], []
    for size in sizes:
        for _ in range(DRAWS if size < len(clips) else 1):
            some = draw.permutation(len(clips))[:size]
            drawn = torch.cat([clips[number] for number in sorted(some)])
            inverse.append(1 / size)
            distances.append(frechet_distance(Gaussian.fit(drawn), real))
    return float(np.polyfit(inverse, distances, 1)[1])


class FrechetDistance(mk.SetMetric):
    """Frechet distance of all clips from real music, in an embedding (Kilgour et al., 2019).

    0 for the same distribution; FAD where the embedding is a network's. Only mean and covariance
    count. Too few clips make it too large, the more the more features there are.
    """

    name = "frechet-distance"
    unit: ClassVar[str] = ""
    better: ClassVar[Literal["lower", "higher"]] = "lower"

    class Options(mk.Options):
        """Options of `metric: frechet-distance`."""

        embedding: mk.Use[mk.Embedding] = mk.default("mel-statistics")
        against: Literal["train", "validation"] = mk.Field(
            "train", description="the real clips: those that were learned from, or held out"
        )

    def __init__(self, options: Options, *, sample_rate: int) -> None:
        self.against = options.against
        self.embedding = options.embedding.build(sample_rate=sample_rate).eval()

    @property
    def embeddings(self) -> Sequence[mk.Embedding]:
        """Return the embedding."""
        return (self.embedding,)

    def score(self, generated: mk.ClipSet, reference: mk.RealClips) -> mk.SetScore:
        """Return the distance; beside it, that of infinitely many clips, and of real music."""
        train, held_out = reference.train, reference.validation
        real, other = (train, held_out) if self.against == "train" else (held_out, train)
        check_generated(self, generated)
        others = {"train": "validation", "validation": "train"}[self.against]
        check_count(
            self,
            real,
            self.against,
            f"give more music, raise `evaluate.real`, or set `against: {others}`",
        )
        made = generated.vectors(self.embedding)
        made = [made[number] for number in order_by_value(made)]
        theirs = real.vectors(self.embedding)
        ours, target = Gaussian.fit(torch.cat(made)), Gaussian.fit(torch.cat(theirs))
        beside = {}
        endless = extrapolate(made, target)
        if endless is not None:
            beside[ENDLESS] = endless
        if len(other) > 1:
            floor = Gaussian.fit(torch.cat(other.vectors(self.embedding)))
            beside[REAL] = frechet_distance(floor, target)
        note = self._describe(made, theirs)
        return mk.SetScore(frechet_distance(ours, target), beside, note)

    def _describe(self, made: Sequence[Tensor], real: Sequence[Tensor]) -> str:
        """Return on how many clips and vectors it rests, and whether those are few."""
        sets, features = {"generated": made, self.against: real}, made[0].shape[1]
        vectors = {which: sum(map(len, clips)) for which, clips in sets.items()}
        told = " against ".join(
            f"{format_count(len(clips), f'{which} clip')} "
            f"({format_count(vectors[which], 'vector')})"
            for which, clips in sets.items()
        )
        if min(vectors.values()) <= features:
            told += f"; fewer vectors than the {features} features: far too large"
        return told
