"""Playing: audio is computed piece by piece, and goes to the disk as it comes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from mousai_kit import audio
from mousai_kit.interfaces import Request, Space
from mousai_kit.memory import out_of_memory_told
from mousai_kit.precision import autocast


class Player:
    """Computes audio in a precision on a device."""

    def __init__(self, space: Space, *, device: torch.device, precision: str) -> None:
        self.space, self.device, self.precision = space, device, precision

    def heard(self, pieces: Iterator[Tensor], request: Request) -> Iterator[Tensor]:
        """Yield pieces [b, c, n] as float32 on the CPU; RequestError where memory runs out.

        Precision is lowered while a piece is computed, not while it is used.
        """
        seconds = request.samples / self.space.sample_rate
        told = f"--seconds: {seconds:g} s do not fit into memory; ask for less"
        while True:
            with out_of_memory_told(told), autocast(self.device, self.precision):
                piece = next(pieces, None)
                if piece is None:
                    return
                piece = piece.float().cpu()
            yield piece


class Recording:
    """A clip on its way to the disk: its audio, and the mel picture that will lie beside it.

    Used in a `with`, whose end leaves nothing behind but what `finish` wrote.
    """

    def __init__(self, path: Path, space: Space, samples: int) -> None:
        self.path = path
        self._take = audio.Take(path, sample_rate=space.sample_rate, channels=space.channels)
        self._strip = audio.MelStrip(space.sample_rate, samples)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self._take.close()

    def add(self, piece: Tensor) -> None:
        """Go on with a piece [c, n]."""
        self._take.add(piece)
        self._strip.add(piece)

    def finish(
        self, title: str, tags: Mapping[str, str], above: Mapping[str, audio.MelStrip] | None = None
    ) -> None:
        """Write the audio with tags, and the picture, below the strips `above`."""
        self._take.write(tags)
        audio.picture(self.path.with_suffix(".png"), {**(above or {}), title: self._strip})


def recorded(path: Path, tags: Mapping[str, str]) -> bool:
    """Return whether a recording is there, its picture too, with these tags."""
    if not (path.is_file() and path.with_suffix(".png").is_file()):
        return False
    found = audio.tags_of(path)
    return all(found.get(name, "") == text for name, text in tags.items())
