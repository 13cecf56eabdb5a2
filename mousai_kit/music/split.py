"""Split: which tracks are kept for validation, whatever else lies beside them."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

import numpy as np
import numpy.typing as npt


def held_out(names: Iterable[str], fraction: float) -> npt.NDArray[np.bool_]:
    """Return which tracks are kept for validation, by a hash of each name that no other changes.

    Of two songs or more at least one is kept and one left; a single one is left for training. What
    shares a name but for its ending is one song, and never on both sides.
    """
    ranks = np.fromiter(map(_rank, names), np.float64)
    ordered = np.unique(ranks)
    if fraction <= 0 or len(ordered) < 2:
        return np.zeros(len(ranks), np.bool_)
    kept = min(max(int((ordered < fraction).sum()), 1), len(ordered) - 1)
    return np.asarray(ranks < ordered[kept])


def _rank(name: str) -> float:
    """Return a number in [0, 1) for a track, evenly spread; the same for a song's every format."""
    stem, _, ending = name.rpartition("/")[2].rpartition(".")
    song = name[: -1 - len(ending)] if stem and ending else name
    return int.from_bytes(sha256(song.encode()).digest()[:6], "big") / (1 << 48)
