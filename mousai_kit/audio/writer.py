"""A take: audio on its way to a file, piece by piece."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Self

import numpy as np
import numpy.typing as npt
from torch import Tensor

from mousai_kit.audio.io import audio_error, display_path, encode, reason
from mousai_kit.audio.tags import write_tags
from mousai_kit.core.errors import AudioError, RequestError

SILENCE = 1e-4
"""Peak (-80 dB of full scale) under which audio counts as silent."""
FORMATS = {".flac": "PCM_24", ".wav": "PCM_24", ".ogg": "VORBIS"}
"""Suffixes that can be written, with their encoding."""


class AudioWriter:
    """Audio that comes in pieces [c, n], and becomes a file once all of it is there.

    Until then it lies in a nameless file in the same folder, as the peak of the whole decides how
    loud its first sample is. Used in a `with`, whose end leaves nothing behind but what `write`
    wrote.
    """

    def __init__(self, path: Path, *, sample_rate: int, channels: int) -> None:
        """Begin a FLAC, WAV or Ogg Vorbis file, by suffix; RequestError for any other."""
        self.path, self.sample_rate, self.channels = path, sample_rate, channels
        suffix = path.suffix.lower()
        if suffix not in FORMATS:
            told = f"can't be written as '{suffix}'; use one of {', '.join(FORMATS)}"
            raise RequestError.about(display_path(path), told)
        self.peak = 0.0
        """Largest magnitude of what came."""
        try:
            self._raw = TemporaryFile(dir=path.parent)  # noqa: SIM115 (closed by __exit__)
        except OSError as error:
            raise self._write_error(error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop what was not written."""
        with suppress(OSError):  # a full disk again
            self._raw.close()

    def add(self, piece: Tensor) -> None:
        """Go on with a piece [c, n]; AudioError where it is not finite or the disk refuses."""
        data = piece.detach().float().cpu()
        if not data.isfinite().all():
            raise self._unusable(
                "is not finite (NaN or infinity), so nothing was written; "
                "the weights are broken or precision is too low: try `precision: fp32`"
            )
        self.peak = max(self.peak, float(data.abs().max()) if data.numel() else 0.0)
        try:
            self._raw.write(data.T.contiguous().numpy().tobytes())
        except OSError as error:
            raise self._write_error(error) from None

    def write(self, tags: Mapping[str, str]) -> None:
        """Write the file, with tags. Peaks above 1 are scaled down as a whole.

        AudioError, and no file, where all was silent (peak under -80 dB of full scale) or the disk
        refuses.
        """
        if self.peak < SILENCE:
            raise self._unusable(
                "is silent (peak under -80 dB), so nothing was written; "
                "train longer, or try another seed or a lower guidance"
            )
        part = self.path.with_name(f".{self.path.stem[:40]}.{os.getpid()}.part")
        try:
            with part.open("w+b", buffering=0) as file:
                suffix = self.path.suffix.lower()
                encode(
                    file,
                    self._seconds(),
                    channels=self.channels,
                    sample_rate=self.sample_rate,
                    kind=suffix[1:].upper(),
                    encoding=FORMATS[suffix],
                )
            with part.open("r+b") as file:
                write_tags(file, tags)
            part.replace(self.path)
        except (OSError, RuntimeError) as error:
            raise self._write_error(error) from None
        finally:
            with suppress(OSError):
                part.unlink()

    def _seconds(self) -> Iterator[npt.NDArray[np.float32]]:
        """Yield the audio [n, c], a second at a time, no louder than 1."""
        self._raw.seek(0)
        scale = np.float32(1 / max(1.0, self.peak))
        while data := self._raw.read(4 * self.channels * self.sample_rate):
            yield np.frombuffer(data, np.float32).reshape(-1, self.channels) * scale

    def _unusable(self, what: str) -> AudioError:
        return AudioError.about(display_path(self.path), f"the audio made {what}")

    def _write_error(self, error: BaseException) -> AudioError:
        return audio_error(self.path, f"can't be written ({reason(error)})")


def write(path: Path, wave: Tensor, *, sample_rate: int, tags: Mapping[str, str]) -> None:
    """Write audio [c, t] to a FLAC, WAV or Ogg Vorbis file (by suffix), with tags.

    Peaks above 1 are scaled down as a whole. AudioError, and no file, where the audio is silent
    (peak under -80 dB of full scale) or not finite, or where the disk refuses.
    """
    with AudioWriter(path, sample_rate=sample_rate, channels=len(wave)) as take:
        take.add(wave)
        take.write(tags)
