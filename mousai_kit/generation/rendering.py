"""Sinks: where a clip goes that is computed piece by piece.

Legend: c channels, n samples of a piece, t samples of a clip.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, Self

import torch
from torch import Tensor

from mousai_kit import audio
from mousai_kit.core.interfaces import SignalSpace


class AudioSink(Protocol):
    """Where a clip goes piece by piece, in a `with`: to memory, a file, or whoever listens."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *reason: object) -> None: ...

    def add(self, piece: Tensor) -> None:
        """Go on with a piece [c, n]."""

    def finish(self) -> None:
        """Take what came as the whole clip."""


class MemorySink:
    """A clip that stays in memory: `audio` [c, t], once it is finished."""

    audio: Tensor

    def __init__(self) -> None:
        self._pieces: list[Tensor] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self._pieces.clear()

    def add(self, piece: Tensor) -> None:
        """Go on with a piece [c, n]."""
        self._pieces.append(piece)

    def finish(self) -> None:
        """Put the pieces together."""
        self.audio = torch.cat(self._pieces, -1)


class FileSink:
    """A clip on its way to the disk: its tagged audio, and a mel picture beside it.

    The picture shows the waves `above` [c, t], by title, and below them the clip. A folder that is
    missing is made. Used in a `with`, whose end leaves nothing but what `finish` wrote.
    """

    def __init__(
        self,
        path: Path,
        space: SignalSpace,
        samples: int,
        *,
        title: str,
        tags: Mapping[str, str],
        above: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.path, self.space, self.samples = path, space, samples
        self.title, self.tags, self.above = title, tags, above or {}

    def __enter__(self) -> Self:
        rate, channels = self.space.sample_rate, self.space.channels
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = audio.AudioWriter(self.path, sample_rate=rate, channels=channels)
        self._mel = audio.StreamingMel(rate, self.samples)
        return self

    def __exit__(self, *reason: object) -> None:
        self._writer.close()

    def add(self, piece: Tensor) -> None:
        """Go on with a piece [c, n]."""
        self._writer.add(piece)
        self._mel.add(piece)

    @property
    def peak(self) -> float:
        """Return the largest magnitude of what came."""
        return self._writer.peak

    def finish(self) -> None:
        """Write the audio with tags, and the picture."""
        self._writer.write(self.tags)
        rate = self.space.sample_rate
        mels = {title: audio.StreamingMel.of(wave, rate) for title, wave in self.above.items()}
        audio.plot_mels(self.path.with_suffix(".png"), {**mels, self.title: self._mel})


def is_recorded(path: Path, tags: Mapping[str, str]) -> bool:
    """Return whether a clip is there, its picture too, with these tags."""
    if not (path.is_file() and path.with_suffix(".png").is_file()):
        return False
    found = audio.read_tags(path)
    return all(found.get(name, "") == text for name, text in tags.items())
