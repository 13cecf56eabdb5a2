"""Inception score: whether clips are clear, and differ. n clips, d labels."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from torch import Tensor

import mousai_kit.api as mk
from mousai_kit_metrics.posteriors import PosteriorMetric, kl_divergence
from mousai_kit_metrics.sets import REAL, check_generated, format_count

SEED = 2016
"""What real clips are drawn with where there are more than generated ones."""


class InceptionScore(PosteriorMetric):
    """Inception score: whether clips are clear and differ, to a classifier (Salimans et al., 2016).

    exp of how far, on average, a clip's posterior is from the mean of all: 1 where the same is
    heard in all clips, at most the number of clips. It asks for clips that are clear and differ,
    not for music: `real music` is that of as many real clips.
    """

    name = "inception-score"
    better: ClassVar[Literal["lower", "higher"]] = "higher"

    def score(self, generated: mk.ClipSet, reference: mk.RealClips) -> mk.SetScore:
        """Return the score; beside it that of as many real clips, held out where there are."""
        check_generated(self, generated)
        held_out, train = reference.validation, reference.train
        real = held_out if len(held_out) >= min(len(generated), len(train)) else train
        beside, note = {}, format_count(len(generated), "generated clip")
        if len(real) > 1:
            posteriors = self.posteriors(real)
            some = posteriors[_draw(posteriors, len(generated))]
            beside[REAL] = inception_score(some)
            note += f", {format_count(len(some), 'real clip')}"
        return mk.SetScore(inception_score(self.posteriors(generated)), beside, note)


def inception_score(posteriors: Tensor) -> float:
    """Return exp of the mean KL divergence of posteriors [n, d] from their mean."""
    return float(kl_divergence(posteriors, posteriors.mean(0)).mean().exp())


def _draw(posteriors: Tensor, size: int) -> list[int]:
    """Return the numbers of `size` clips, or of all, the same in whatever order they come."""
    rows = posteriors.tolist()
    order = sorted(range(len(rows)), key=rows.__getitem__)
    chosen = np.random.default_rng(SEED).permutation(len(order))[:size]
    return [order[place] for place in sorted(chosen)]
