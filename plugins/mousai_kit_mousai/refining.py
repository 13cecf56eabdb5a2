"""Refining: what a domain shows of a sound that comes in pieces, for diffusion to begin from.

Legend: b batch, c channels, t samples, n frames of a domain.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

import mousai_kit.api as mk


class DomainWindows:
    """What a domain shows of audio that comes in pieces, window by window."""

    def __init__(self, pieces: Iterator[Tensor], domain: mk.Domain) -> None:
        self._pieces, self._domain = pieces, domain
        self._kept: Tensor | None = None  # audio from frame `_first` on
        self._first = 0

    def window(self, start: int, frames: int) -> Tensor:
        """Return so many frames [b, c, frames] from `start` on, which never falls.

        The audio beside them is heard where the domain needs it and has it.
        """
        margin, stride = self._domain.context_frames, self._domain.stride
        lead = min(margin, start)
        wave = self._audio(start - lead, start + frames + margin)
        length = wave.shape[-1] // stride * stride
        return self._domain(wave[..., :length])[..., lead : lead + frames]

    def _audio(self, first: int, last: int) -> Tensor:
        """Return the audio of frames from `first` to `last`, or to the end; drop what is before."""
        stride = self._domain.stride
        while self._kept is None or self._kept.shape[-1] < (last - self._first) * stride:
            if (piece := next(self._pieces, None)) is None:
                break
            self._kept = piece if self._kept is None else torch.cat([self._kept, piece], -1)
        assert self._kept is not None
        self._kept = self._kept[..., (first - self._first) * stride :]
        self._first = first
        return self._kept[..., : (last - first) * stride]
