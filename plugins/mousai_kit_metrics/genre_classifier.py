"""Genre classifier: logistic regression on an embedding.

Legend: n windows of a clip, d features, k genres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Array = npt.NDArray[np.float64]
PENALTY = 0.01
"""Weight of half the sum of squared weights, beside the mean loss of a clip."""


@dataclass(frozen=True, slots=True)
class GenreClassifier:
    """Multinomial logistic regression with an L2 penalty, each feature standardised.

    Every genre counts the same in learning, and so does every clip of one, however many windows it
    has. A clip's probabilities are the mean of its windows'.
    """

    genres: Sequence[str]
    center: Tensor
    spread: Tensor
    weights: Tensor
    """[d + 1, k], the last row being the bias."""

    @classmethod
    def learn(cls, clips: Sequence[Tensor], genres: Sequence[str]) -> Self:
        """Learn from clips of windows [n, d] and the genre of each."""
        names = sorted(set(genres))
        windows = torch.cat(list(clips)).double()
        center, spread = windows.mean(0), windows.std(0, correction=0)
        spread = torch.where(spread > 1e-9 * spread.max(), spread, 1.0)
        sizes = torch.tensor([len(clip) for clip in clips])
        labels = torch.tensor([names.index(genre) for genre in genres])
        share = 1 / (len(names) * torch.bincount(labels).double()[labels] * sizes)
        labels, share = labels.repeat_interleave(sizes), share.repeat_interleave(sizes)
        inputs = _with_bias((windows - center) / spread)
        weights = _minimise(inputs.numpy(), labels.numpy(), share.numpy(), len(names))
        return cls(names, center, spread, torch.from_numpy(weights))

    def hear(self, clips: Sequence[Tensor]) -> list[str]:
        """Return the genre that each clip of windows [n, d] is taken for."""
        return [self.genres[int(self._probabilities(clip).argmax())] for clip in clips]

    def _probabilities(self, clip: Tensor) -> Tensor:
        inputs = _with_bias((clip.double() - self.center) / self.spread)
        return (inputs @ self.weights).softmax(-1).mean(0)


def _with_bias(inputs: Tensor) -> Tensor:
    return torch.cat([inputs, torch.ones(len(inputs), 1).double()], 1)


def _minimise(inputs: Array, labels: npt.NDArray[Any], share: Array, genres: int) -> Array:
    """Return the weights [d + 1, k] of the least loss, by L-BFGS from zero."""
    from scipy.optimize import minimize

    targets = np.eye(genres)[labels]

    def loss(flat: Array) -> tuple[float, Array]:
        weights = flat.reshape(-1, genres)
        logits = inputs @ weights
        logits = logits - logits.max(1, keepdims=True)
        log_probabilities = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        penalised = weights * (np.arange(len(weights)) < len(weights) - 1)[:, None]
        off = share[:, None] * (np.exp(log_probabilities) - targets)
        value = -(share @ (log_probabilities * targets).sum(1)) + PENALTY / 2 * (penalised**2).sum()
        return float(value), (inputs.T @ off + PENALTY * penalised).ravel()

    start = np.zeros(inputs.shape[1] * genres)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 500})
    return np.asarray(found.x, dtype=np.float64).reshape(-1, genres)


def cross_validate(
    clips: Sequence[Tensor], genres: Sequence[str], tracks: Sequence[str], folds: int
) -> tuple[list[int], list[str]]:
    """Return the numbers of clips, and what classifiers hear in them that never heard their track.

    Tracks of each genre are dealt out to the folds in the order of their names; a genre's only
    track is always learned from.
    """
    parts = {}
    for genre in sorted(set(genres)):
        own = sorted({track for track, of in zip(tracks, genres, strict=True) if of == genre})
        parts.update({track: at % folds for at, track in enumerate(own) if len(own) > 1})
    numbers, heard = [], []
    for fold in range(folds):
        out = [at for at, track in enumerate(tracks) if parts.get(track) == fold]
        rest = [at for at, track in enumerate(tracks) if parts.get(track) != fold]
        if out:
            learned = GenreClassifier.learn([clips[at] for at in rest], [genres[at] for at in rest])
            numbers += out
            heard += learned.hear([clips[at] for at in out])
    return numbers, heard
