"""Refining: what a domain shows of a sound that comes in pieces, for diffusion to begin from.

Legend: b batch, c channels, t samples, n frames of a domain.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

import mousai_kit.api as mk


class DomainWindows:
    """What a domain shows of audio that comes in pieces, window by window."""

    def __init__(self, pieces: Iterator[Tensor], domain: mk.Domain) -> None:
        self._audio, self._domain = mk.SignalStream(pieces), domain

    def window(self, start: int, frames: int) -> Tensor:
        """Return so many frames [b, c, frames] from `start` on, which never falls.

        The audio beside them is heard where the domain needs it and has it.
        """
        margin, stride = self._domain.context_frames, self._domain.stride
        lead = min(margin, start)
        wave = self._audio.read((start - lead) * stride, (start + frames + margin) * stride)
        length = wave.shape[-1] // stride * stride
        return self._domain(wave[..., :length])[..., lead : lead + frames]
