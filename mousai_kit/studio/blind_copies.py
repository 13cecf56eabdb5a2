"""Blind copies: what listeners hear in tests, in files that tell nothing but their sound."""

from __future__ import annotations

import secrets
import struct
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from mousai_kit.audio.io import open_audio

KEPT_FOR = 3600.0
"""Seconds that a copy is kept after it was last asked for."""
ENCODINGS = ("PCM_16", "PCM_24")
"""What is copied sample by sample; all else becomes the last of them."""
DRAWN = 16
"""Bytes that are drawn for each copy, so that no two are alike."""


@dataclass(slots=True)
class BlindCopy:
    """A copy, and when it was last asked for."""

    path: Path
    asked: float


class BlindCopies:
    """Copies in a folder, one for each place in a test where a sound is heard.

    A copy has the samples of what it was made from and no tags; its name is the sound's letter,
    its folder is drawn, and its bytes differ from those of each other copy. Copies of sounds of one
    length have one size.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._copies: dict[tuple[str, int, str], BlindCopy] = {}
        self._lock = threading.Lock()

    def copy(self, source: Path, *, test: str, trial: int, letter: str) -> Path:
        """Return the copy of a sound of a trial; AudioError where the sound can't be read."""
        now = time.monotonic()
        with self._lock:
            self._forget(now)
            found = self._copies.get((test, trial, letter))
            if found is None:
                path = self.folder / secrets.token_hex(8) / f"{letter}.wav"
                path.parent.mkdir(parents=True)
                write_blind_copy(source, path)
                found = self._copies[test, trial, letter] = BlindCopy(path, now)
            found.asked = now
            return found.path

    def _forget(self, now: float) -> None:
        """Remove what nobody has asked for in a long time."""
        for key, copy in [*self._copies.items()]:
            if now - copy.asked > KEPT_FOR:
                del self._copies[key]
                copy.path.unlink(missing_ok=True)
                copy.path.parent.rmdir()


def write_blind_copy(source: Path, target: Path) -> None:
    """Write an audio file's samples as WAV, without tags, with a chunk of bytes that are drawn."""
    import soundfile

    with open_audio(source) as sound:
        kind = sound.subtype if sound.subtype in ENCODINGS else ENCODINGS[-1]
        rate, channels = sound.samplerate, sound.channels
        with soundfile.SoundFile(target, "w", rate, channels, subtype=kind, format="WAV") as copy:
            for block in sound.blocks(rate, dtype="int32", always_2d=True):
                copy.write(block)
    size = target.stat().st_size
    chunk = bytes(size % 2) + struct.pack("<4sI", b"JUNK", DRAWN) + secrets.token_bytes(DRAWN)
    with target.open("rb+") as file:
        file.write(struct.pack("<4sI", b"RIFF", size - 8 + len(chunk)))
        file.seek(0, 2)
        file.write(chunk)
