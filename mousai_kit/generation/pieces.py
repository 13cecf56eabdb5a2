"""Pieces of audio: read on in whatever lengths are needed, faded into one another, limited.

Legend: b clips, c channels, t samples.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from mousai_kit.core.errors import MousaiError

KNEE = 0.9
"""Magnitude from which on `limit` bends."""


class PieceReader:
    """Audio that comes in pieces [b, c, t], read on in any lengths."""

    def __init__(self, pieces: Iterator[Tensor]) -> None:
        self._pieces = pieces
        self._left: Tensor | None = None

    def through(self, samples: int) -> Iterator[Tensor]:
        """Yield the next so many samples, piece by piece."""
        while samples > 0:
            piece = self._next()
            yield piece[..., :samples]
            self._left = piece[..., samples:] if piece.shape[-1] > samples else None
            samples -= piece.shape[-1]

    def take(self, samples: int) -> Tensor:
        """Return the next so many samples, at least one."""
        return torch.cat([*self.through(samples)], -1)

    def skip(self, samples: int) -> None:
        """Leave out the next so many samples."""
        for _ in self.through(samples):
            pass

    def _next(self) -> Tensor:
        piece = next(self._pieces, None) if self._left is None else self._left
        if piece is None:
            raise MousaiError("a stage made less audio than it was asked for")
        return piece


def cross_fade(before: Tensor, after: Tensor) -> Tensor:
    """Return one signal [..., c, t] faded into another, as loud in between as they are.

    What is alike adds up, what is not loses: the gain follows from how far they are alike.
    """
    before = before.to(after)
    place = (torch.arange(after.shape[-1]).to(after) + 0.5) / after.shape[-1]
    product, energies = (before * after).sum((-2, -1)), before.square().sum((-2, -1))
    norm = (energies * after.square().sum((-2, -1))).sqrt().clamp(min=1e-12)
    alike = (product / norm).clamp(0, 1)[..., None, None]
    power = place.square() + (1 - place).square() + 2 * alike * place * (1 - place)
    return before.lerp(after, place) / power.sqrt()


def limit(wave: Tensor) -> Tensor:
    """Return audio whose peaks beyond 0.9 are bent so that they stay below 1."""
    size = wave.abs()
    bent = KNEE + (1 - KNEE) * torch.tanh((size - KNEE) / (1 - KNEE))
    return torch.where(size > KNEE, bent.copysign(wave), wave)
