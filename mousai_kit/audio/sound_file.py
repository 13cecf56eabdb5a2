"""Sound files: opened and decoded with libsndfile, which is made to say what is wrong.

Legend: c channels, t time in samples.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from mousai_kit.errors import AudioError, Problem

if TYPE_CHECKING:
    import soundfile

RATES = range(1_000, 1_000_000)
"""Sample rates (Hz) that can be meant; others come from damaged headers."""
UNKNOWN = 1 << 62
"""From so many frames on, libsndfile means that a header gives no length."""
PREROLL = 9_216
"""Frames decoded before those asked for: an MP3's need bits of those before them."""
NO_MP3 = 7
"""libsndfile's error for a file called MP3 without MP3 in it: "possibly a pipe?"."""
TOLERANCE = 0.1
"""Seconds by which a header's length may exceed the truth: MP3's is at times an estimate."""


def opened(path: Path, file: BinaryIO | None = None) -> soundfile.SoundFile:
    """Open an audio file; AudioError says what is wrong with one that can't be used.

    `file` is the audio, open, where it lies within another; `path` is then what it is called.
    """
    import soundfile

    try:
        with nullcontext(file) if file else path.open("rb") as whole:
            if not whole.read(1):
                raise fault(path, "is empty (0 bytes); leave it out")
            whole.seek(0)
        sound = soundfile.SoundFile(file or os.fsencode(path))
    except FileNotFoundError:
        raise fault(path, "does not exist") from None
    except OSError as error:
        raise fault(path, f"can't be read ({reason(error)})") from None
    except (RuntimeError, TypeError) as error:
        raise fault(path, f"is no audio file that can be read ({reason(error)})") from None
    if wrong := _wrong_header(sound.frames, sound.samplerate):
        sound.close()
        raise fault(path, wrong)
    return sound


def decoded(
    path: Path, sound: soundfile.SoundFile, first: int, count: int
) -> npt.NDArray[np.float32]:
    """Return `count` frames [t, c] from `first` on, all of which the header promises."""
    rate = sound.samplerate
    preroll = min(first, PREROLL if sound.format == "MP3" else 0)
    try:
        sound.seek(first - preroll)
        # one read: after each, soundfile seeks, which an MP3 decoder does not survive unharmed
        data = sound.read(preroll + count, dtype="float32", always_2d=True)[preroll:]
    except (RuntimeError, OSError, MemoryError) as error:
        at = f"{first / rate:.2f} s"
        raise fault(path, f"can't be decoded from {at} on ({reason(error)})") from None
    if not len(data) or len(data) < count - TOLERANCE * rate:
        raise _cut_short(path, sound, first + len(data))
    return data


def pieces(path: Path, sound: soundfile.SoundFile) -> Iterator[npt.NDArray[np.float32]]:
    """Yield all that the header promises from the start on, a second [t, c] at a time.

    The file is read in one go: whoever goes back in it afterwards opens it anew.
    """
    sound.seekable = lambda: False  # or soundfile would seek after each read, see `decoded`
    done = 0
    while done < sound.frames:
        count = min(sound.samplerate, sound.frames - done)
        try:
            data = sound.read(count, dtype="float32", always_2d=True)
        except (RuntimeError, OSError, MemoryError) as error:
            at = f"{done / sound.samplerate:.2f} s"
            raise fault(path, f"can't be decoded from {at} on ({reason(error)})") from None
        done += len(data)
        if len(data):
            yield data
        if len(data) < count:
            break
    if done < sound.frames - TOLERANCE * sound.samplerate or not done:
        raise _cut_short(path, sound, done)


def _cut_short(path: Path, sound: soundfile.SoundFile, frames: int) -> AudioError:
    """Return the error for a file that ends after so many frames, sooner than it says."""
    end, promised = frames / sound.samplerate, sound.frames / sound.samplerate
    told = f"is cut short at {end:.2f} s; its header promises {promised:.2f} s: get it anew"
    return fault(path, told)


def encode(
    file: BinaryIO,
    pieces: Iterable[npt.NDArray[np.float32]],
    *,
    channels: int,
    sample_rate: int,
    kind: str,
    encoding: str,
) -> None:
    """Encode audio [t, c] into a file, in pieces of a second at most: Vorbis crashes on more."""
    import soundfile

    target: Any = _Remembering(file)
    with soundfile.SoundFile(
        target, "w", sample_rate, channels, subtype=encoding, format=kind
    ) as sound:
        for piece in pieces:
            sound.write(piece)
            if target.error:
                break
    if target.error:
        raise target.error


class _Remembering:
    """A file that remembers what went wrong: libsndfile, which calls it, would not pass it on."""

    def __init__(self, file: BinaryIO) -> None:
        self.error: BaseException | None = None
        self._file = file
        self.seek, self.tell, self.read = file.seek, file.tell, file.read

    def write(self, data: bytes) -> int:
        """Write all of it, unless something has gone wrong."""
        left = memoryview(data)
        try:
            while left and not self.error:
                left = left[self._file.write(left) :]
        except (OSError, KeyboardInterrupt) as error:
            self.error = error
        return len(data)


def shown(path: Path) -> str:
    """Return a path as text on one line that can be printed, whatever bytes its name has."""
    text = os.fsencode(path).decode(errors="backslashreplace")
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def fault(path: Path, message: str) -> AudioError:
    """Return the error that says what is wrong with a file."""
    return AudioError(Problem(shown(path), "", message))


def reason(error: BaseException) -> str:
    """Return why the system or libsndfile refused, on one line."""
    if getattr(error, "code", None) == NO_MP3:
        return "Format not recognised"
    said = getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)
    return " ".join(said.removeprefix("Error : ").split()).rstrip(".")


def _wrong_header(frames: int, sample_rate: int) -> str:
    """Return what keeps a file with this header from being used."""
    if frames <= 0:
        return "holds no audio; leave it out"
    if frames >= UNKNOWN:
        return "has a header that does not say how long it is; convert it to FLAC"
    if sample_rate not in RATES:
        return f"has a sample rate that can't be meant ({sample_rate} Hz); leave it out"
    return ""
