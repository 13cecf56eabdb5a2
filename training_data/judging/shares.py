"""Shares of styles in crops of known style: how many are told right, and for what the others go.

Legend: k crops, s styles.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from judging.classifier import balanced_among


@dataclass(frozen=True)
class Shares:
    """Logarithms of the shares of styles [k, s] in crops, their tracks [k] and real styles [k]."""

    log: np.ndarray
    tracks: np.ndarray
    styles: np.ndarray

    def among(self, styles: Sequence[int]) -> Shares:
        """Return the crops of some styles where there are no others, numbered anew."""
        inside = np.isin(self.styles, styles)
        number = {style: place for place, style in enumerate(styles)}
        renamed = np.array([number[it] for it in self.styles[inside].tolist()], dtype=int)
        return Shares(self.log[inside][:, list(styles)], self.tracks[inside], renamed)

    def whole(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the number of each track, and the shares [s] in all of its crops."""
        for number in np.unique(self.tracks).tolist():
            yield number, self.log[self.tracks == number].mean(0)

    @property
    def right(self) -> tuple[int, int]:
        """Return how many crops are told right, of how many."""
        return int((self.log.argmax(1) == self.styles).sum()), len(self.styles)

    @property
    def right_tracks(self) -> tuple[int, int]:
        """Return how many tracks are told right by all of their crops, of how many."""
        style = dict(zip(self.tracks.tolist(), self.styles.tolist(), strict=True))
        told = [share.argmax() == style[number] for number, share in self.whole()]
        return sum(map(int, told)), len(told)

    def balanced(self, styles: Sequence[int]) -> float:
        """Return the mean over some styles of the share told right, where there are no others."""
        return round(balanced_among(self.styles, self.log, styles), 4)

    def confusion(self, names: Sequence[str]) -> str:
        """Return a table: a row for each real style that occurs, a column for each told."""
        counts = np.zeros((len(names), len(names)), dtype=int)
        np.add.at(counts, (self.styles, self.log.argmax(1)), 1)
        width = max(map(len, names))
        rows = [" " * width + "".join(f"{number + 1:>5}" for number in range(len(names)))]
        for number, name in enumerate(names):
            if total := counts[number].sum():
                cells = "".join(f"{count or '.':>5}" for count in counts[number])
                right = f"{counts[number, number]} of {total}"
                rows.append(f"{name:<{width}}{cells}   {number + 1:>2}: {right} right")
        return "\n".join(rows)


def interval(right: int, of: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson, 1927)."""
    z, share = 1.96, right / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return max(0.0, middle - half), min(1.0, middle + half)
