"""WAV stream: audio on its way into a pipe or a file that is played while it is made."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import BinaryIO

from torch import Tensor

from mousai_kit.audio.io import encode
from mousai_kit.audio.writer import FORMATS, SILENCE
from mousai_kit.core.errors import AudioError

UNKNOWN = 0xFFFFFFFF
"""What a header's sizes are where nobody knows them yet: ffmpeg and players take it so."""
BYTES = 3
"""Bytes of a sample: those of a WAV file that `AudioWriter` writes."""


class WavStream:
    """Audio that comes in pieces [c, n] and is written at once, with the samples of a WAV file.

    The header comes with the first piece. The peak of the whole is not known before its end: what
    is beyond 1 is cut off, where a file would be scaled down. `name` is what errors call it.
    """

    def __init__(self, file: BinaryIO, *, name: str, sample_rate: int, channels: int) -> None:
        self._file, self.name = file, name
        self.sample_rate, self.channels = sample_rate, channels
        self.samples = 0
        """Samples that were written, of each channel."""
        self.peak = 0.0
        """Largest magnitude of what came."""

    def add(self, piece: Tensor) -> None:
        """Go on with a piece [c, n]; AudioError where it is not finite, OSError as the system's."""
        data = piece.detach().float().cpu()
        if not data.isfinite().all():
            raise self._unusable(
                "is not finite (NaN or infinity), so that it ends here; "
                "the weights are broken or precision is too low: try `precision: fp32`"
            )
        self.peak = max(self.peak, float(data.abs().max()) if data.numel() else 0.0)
        encoded = BytesIO()
        encode(
            encoded,
            (part.T.contiguous().numpy() for part in data.split(self.sample_rate, -1)),
            channels=self.channels,
            sample_rate=self.sample_rate,
            kind="RAW",
            encoding=FORMATS[".wav"],
        )
        self._write((b"" if self.samples else self._header(UNKNOWN)) + encoded.getvalue())
        self.samples += data.shape[-1]

    def finish(self) -> None:
        """Tell the size in the header, where the file can still be changed.

        AudioError where all was silent (peak under -80 dB of full scale).
        """
        size = self.samples * self.channels * BYTES
        if self._file.seekable() and size + 36 < UNKNOWN:
            self._write(b"\0" * (size % 2))
            self._file.seek(0)
            self._write(self._header(size))
        if self.peak < SILENCE:
            raise self._unusable(
                "is silent (peak under -80 dB); "
                "train longer, or try another seed or a lower guidance"
            )

    def _write(self, data: bytes) -> None:
        """Write all of it: a pipe may take less at a time."""
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]

    def _header(self, size: int) -> bytes:
        """Return the header of PCM of so many bytes."""
        frame = self.channels * BYTES
        form = (1, self.channels, self.sample_rate, self.sample_rate * frame, frame, 8 * BYTES)
        whole = UNKNOWN if size == UNKNOWN else 36 + size + size % 2
        return struct.pack(
            "<4sI4s4sIHHIIHH4sI", b"RIFF", whole, b"WAVE", b"fmt ", 16, *form, b"data", size
        )

    def _unusable(self, what: str) -> AudioError:
        return AudioError.about(self.name, f"the audio made {what}")
