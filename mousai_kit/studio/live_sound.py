"""Live sound: a clip as a WAV file that is heard while it is made.

Legend: c channels, n samples of a piece.
"""

from __future__ import annotations

import asyncio
import secrets
import struct
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
from torch import Tensor

HEARD_FOR = 60.0
"""Seconds that a sound can still be asked for after it has ended."""
POLL = 0.05
"""Seconds between two looks at whether there is more."""
BLOCK = 1 << 16
"""Bytes that are sent at a time."""


class LiveSound:
    """A clip's 16-bit audio, in a file that grows; its key is all that it takes to hear it."""

    def __init__(self, file: Path, *, sample_rate: int, channels: int, samples: int) -> None:
        self.key, self.file = secrets.token_hex(16), file
        self.size = 2 * channels * samples
        self.header = _wav_header(sample_rate, channels, self.size)
        self.written = 0
        self.ended: float | None = None
        self._out = file.open("wb")

    def add(self, piece: Tensor) -> None:
        """Go on with a piece [c, n]; beyond 1 it is clipped."""
        data = (piece.detach().float().cpu().clamp(-1, 1).T.contiguous().numpy() * 32767).round()
        raw = data.astype(np.int16).tobytes()
        self._out.write(raw)
        self._out.flush()
        self.written += len(raw)

    def end(self) -> None:
        """Let those who listen come to an end; what is there can still be heard for a minute."""
        if self.ended is None:
            self._out.close()
            self.ended = time.monotonic()

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield the file, as far as it is made, until it ends."""
        yield self.header
        sent = 0
        with self.file.open("rb") as file:
            while True:
                while data := file.read(min(BLOCK, self.written - sent)):
                    sent += len(data)
                    yield data
                if self.ended is not None and sent >= self.written:
                    return
                await asyncio.sleep(POLL)


class LiveSounds:
    """The sounds of a studio that can be heard now, by their keys."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._sounds: dict[str, LiveSound] = {}

    def open(self, *, sample_rate: int, channels: int, samples: int) -> LiveSound:
        """Begin a sound; forget those that ended long ago."""
        self.forget(older_than=HEARD_FOR)
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / f"{secrets.token_hex(8)}.pcm"
        sound = LiveSound(file, sample_rate=sample_rate, channels=channels, samples=samples)
        self._sounds[sound.key] = sound
        return sound

    def find(self, key: str) -> LiveSound | None:
        """Return a sound, None where there is none of that key."""
        return self._sounds.get(key)

    def forget(self, *, older_than: float) -> None:
        """Remove sounds that ended so many seconds ago."""
        now = time.monotonic()
        for key, sound in [*self._sounds.items()]:
            if sound.ended is not None and now - sound.ended >= older_than:
                del self._sounds[key]
                sound.file.unlink(missing_ok=True)


def _wav_header(sample_rate: int, channels: int, size: int) -> bytes:
    """Return the header of a WAV file of 16 bits with so many bytes of audio."""
    frame = 2 * channels
    sizes = min(size, 2**32 - 45)
    chunk = struct.pack("<HHIIHH", 1, channels, sample_rate, sample_rate * frame, frame, 16)
    head = b"RIFF" + struct.pack("<I", sizes + 36) + b"WAVEfmt " + struct.pack("<I", 16)
    return head + chunk + b"data" + struct.pack("<I", sizes)
