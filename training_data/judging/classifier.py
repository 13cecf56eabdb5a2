"""Multinomial logistic regression of styles, and its cross-validation by tracks.

Legend: k crops, d features, s styles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

FOLDS = 5
DECAYS = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)
"""Strengths of L2 that are tried."""
FARTHEST = 4.0
"""Standard deviations at which features are cut off."""


@dataclass(frozen=True)
class Crops:
    """Crops of tracks: features [k, d], and for each its track's number and its style's."""

    features: np.ndarray
    tracks: np.ndarray
    styles: np.ndarray

    def where(self, chosen: np.ndarray) -> Crops:
        """Return the crops of a mask [k]."""
        return Crops(self.features[chosen], self.tracks[chosen], self.styles[chosen])

    def weights(self) -> np.ndarray:
        """Return what each crop counts [k], so that styles count alike, and tracks of a style."""
        _, track, crops = np.unique(self.tracks, return_inverse=True, return_counts=True)
        found = 1.0 / crops[track]
        for style in np.unique(self.styles):
            found[self.styles == style] /= found[self.styles == style].sum()
        return found / found.sum()


@dataclass(frozen=True)
class Classifier:
    """A linear classifier of standardised features."""

    mean: np.ndarray
    scale: np.ndarray
    weight: np.ndarray
    bias: np.ndarray

    @classmethod
    def fit(cls, crops: Crops, *, styles: int, decay: float) -> Classifier:
        """Fit weights by maximum likelihood, less decay * ||weight||^2."""
        mean, scale = crops.features.mean(0), crops.features.std(0) + 1e-6
        x = torch.from_numpy(standardised(crops.features, mean, scale))
        y, importance = torch.from_numpy(crops.styles), torch.from_numpy(crops.weights()).float()
        weight = torch.zeros(styles, x.shape[1], requires_grad=True)
        bias = torch.zeros(styles, requires_grad=True)
        search = torch.optim.LBFGS([weight, bias], max_iter=150, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            search.zero_grad()
            likelihood = cross_entropy(x @ weight.T + bias, y, reduction="none")
            value = (importance * likelihood).sum() + decay * weight.square().sum()
            value.backward()
            return value

        search.step(loss)
        return cls(mean, scale, weight.detach().numpy(), bias.detach().numpy())

    def log_shares(self, features: np.ndarray) -> np.ndarray:
        """Return logarithms of the shares [k, s] of styles in crops of features [k, d]."""
        x = standardised(features, self.mean, self.scale)
        return torch.from_numpy(x @ self.weight.T + self.bias).log_softmax(1).numpy()


def standardised(features: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return features [k, d] in standard deviations from the mean, at most `FARTHEST`."""
    return ((features - mean) / scale).clip(-FARTHEST, FARTHEST).astype(np.float32)


def cross_validate(
    crops: Crops, *, styles: int, tick: Callable[[], None]
) -> tuple[float, np.ndarray]:
    """Return the best strength of L2, and logarithms of shares [k, s] told by other tracks' crops.

    Best is the one with the most crops told right, all styles counting alike. It calls `tick`
    FOLDS * len(DECAYS) times.
    """
    folds = _folds(crops)
    best, chosen = -1.0, (0.0, np.empty(0))
    for decay in DECAYS:
        told = np.empty((len(crops.styles), styles), dtype=np.float32)
        for fold in range(FOLDS):
            model = Classifier.fit(crops.where(folds != fold), styles=styles, decay=decay)
            told[folds == fold] = model.log_shares(crops.features[folds == fold])
            tick()
        right = balanced(crops.styles, told.argmax(1))
        if right > best:
            best, chosen = right, (decay, told)
    return chosen


def _folds(crops: Crops) -> np.ndarray:
    """Return the fold of each crop [k]: a track lies in one, a style's tracks in as many as can be.

    The order of tracks is shuffled, by a fixed seed: an album's neighbours are alike.
    """
    order = np.random.default_rng(0)
    fold: dict[int, int] = {}
    for style in np.unique(crops.styles):
        tracks = order.permutation(np.unique(crops.tracks[crops.styles == style]))
        fold |= {track: len(fold) + place for place, track in enumerate(tracks.tolist())}
    return np.array([fold[track] % FOLDS for track in crops.tracks.tolist()])


def balanced(real: np.ndarray, told: np.ndarray) -> float:
    """Return the mean over styles of the share that is told right."""
    return float(np.mean([(told[real == style] == style).mean() for style in np.unique(real)]))


def best_told(real: np.ndarray, told: np.ndarray, *, among: Sequence[int]) -> list[list[int]]:
    """Return ever smaller sets of styles, down to two, that are told apart best.

    Each time the one goes without which the others are told best; then, while that helps, one is
    exchanged. `told` are logarithms of shares [k, s] of crops of styles `real` [k].
    """

    def score(styles: list[int]) -> float:
        return balanced_among(real, told, styles)

    left = sorted(among)
    sets = [left]
    while len(left) > 2:
        left = max(([it for it in left if it != gone] for gone in left), key=score)
        while score(better := max(_exchanged(left, among), key=score)) > score(left):
            left = better
        sets.append(left)
    return sets


def _exchanged(styles: list[int], among: Sequence[int]) -> list[list[int]]:
    """Return a set of styles with one of them in another's place, in all ways."""
    others = [style for style in among if style not in styles]
    return [sorted({*styles, new} - {gone}) for gone in styles for new in others]


def balanced_among(real: np.ndarray, told: np.ndarray, styles: Sequence[int]) -> float:
    """Return the mean over some styles of the share told right, where there are no others."""
    inside = np.isin(real, styles)
    return balanced(real[inside], np.array(styles)[told[inside][:, styles].argmax(1)])
