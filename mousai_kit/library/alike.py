"""Alike: pieces that are the same music, to the bit or but for their encoding."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from mousai_kit.library.pieces import Piece

BITS = 3
"""Bits in which the shapes of two encodings of the same music may differ. Encodings of the clips
that come along differ in 2 at most, other music in 17 at least."""
LENGTHS = 0.25
"""Seconds by which their lengths may."""

Pair = tuple[Piece, Piece]


def same(pieces: Iterable[Piece]) -> list[list[Piece]]:
    """Return groups of pieces with the same audio to the bit; silent ones are no music."""
    groups: dict[str, list[Piece]] = defaultdict(list)
    for piece in pieces:
        if piece.measures is not None and piece.measures.loudness is not None:
            groups[piece.measures.content].append(piece)
    return [group for group in groups.values() if len({it.source for it in group}) > 1]


def near(pieces: Iterable[Piece]) -> list[Pair]:
    """Return pairs that are the same music in another encoding, or at another level."""
    shaped = [it for it in pieces if it.measures is not None and it.measures.shape]
    shaped.sort(key=lambda it: it.seconds)
    shapes = np.array([int(it.measures.shape, 16) for it in shaped if it.measures], dtype=np.uint64)
    seconds = np.array([it.seconds for it in shaped])
    ends = np.searchsorted(seconds, seconds + LENGTHS, side="right")
    pairs: list[Pair] = []
    for index, end in enumerate(ends):
        differing = _bits(shapes[index + 1 : end] ^ shapes[index])
        others = np.flatnonzero(differing <= BITS) + index + 1
        pairs += [(shaped[index], shaped[other]) for other in others]
    return [pair for pair in pairs if _content(pair[0]) != _content(pair[1])]


def leaks(groups: Iterable[Sequence[Piece]]) -> list[Pair]:
    """Return, of each group that is in both splits, a piece of `train` and one of `validation`."""
    found: list[Pair] = []
    for group in groups:
        first = {it.split: it for it in reversed(group)}
        if len(first) > 1:
            found.append((first["train"], first["validation"]))
    return found


def _content(piece: Piece) -> str:
    return piece.measures.content if piece.measures is not None else ""


def _bits(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
    """Return how many bits of each number are set."""
    octets = np.ascontiguousarray(numbers).view(np.uint8).reshape(-1, 8)
    return _SET[octets].sum(1, dtype=np.uint8)


_SET = np.array([number.bit_count() for number in range(256)], dtype=np.uint8)
