"""Audio files, by way of libsndfile, which is made to say what is wrong.

Legend: c channels, t time in samples.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from io import BytesIO
from math import ceil
from mmap import ACCESS_COPY, mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mousai_kit.audio.mp3 import count_frames, muted_decoder
from mousai_kit.core.errors import AudioError, escape_control_chars

if TYPE_CHECKING:
    import soundfile


RATES = range(1_000, 1_000_000)
"""Sample rates (Hz) that can be meant; others come from damaged headers."""
UNCLOSED = ("WAV", "WAVEX")
"""Formats whose header says that nothing is there where the program that wrote it was stopped."""
UNKNOWN = 1 << 62
"""From so many frames on, libsndfile means that a header gives no length."""
PREROLL = 9_216
"""Frames decoded before those asked for: an MP3's need bits of those before them."""
NO_MP3 = 7
"""libsndfile's error for a file called MP3 without MP3 in it: "possibly a pipe?"."""
TOLERANCE = 0.1
"""Seconds by which a header's length may exceed the truth: MP3's is at times an estimate."""
LOUDEST = 8.0
"""Samples beyond this are no music: full scale is 1, and what is meant to be louder is not."""


def open_audio(path: Path, file: BinaryIO | None = None) -> soundfile.SoundFile:
    """Open an audio file; AudioError says what is wrong with one that can't be used.

    `file` is the audio, open, where it lies within another; `path` is then what it is called.
    """
    import soundfile

    try:
        with nullcontext(file) if file else path.open("rb") as whole:
            if not whole.read(1):
                raise audio_error(path, "is empty (0 bytes); leave it out")
            whole.seek(0)
        with muted_decoder():
            sound = soundfile.SoundFile(file or os.fsencode(path))
            if (source := _with_length(path, file, sound)) is not None:
                sound.close()
                sound = soundfile.SoundFile(source)
    except FileNotFoundError:
        raise audio_error(path, "does not exist") from None
    except OSError as error:
        raise audio_error(path, f"can't be read ({reason(error)})") from None
    except (RuntimeError, TypeError) as error:
        raise audio_error(path, f"is no audio file that can be read ({reason(error)})") from None
    if wrong := _wrong_header(sound.frames, sound.samplerate):
        sound.close()
        raise audio_error(path, wrong)
    return sound


def _with_length(
    path: Path, file: BinaryIO | None, sound: soundfile.SoundFile
) -> BytesIO | mmap | None:
    """Return a file's audio with a header that tells its length, None where its own does."""
    if sound.format != "MP3" and (sound.frames or sound.format not in UNCLOSED):
        return None
    source: BytesIO | mmap | None
    with nullcontext(file) if file else path.open("rb") as whole:
        place = whole.tell()
        if sound.format == "MP3":
            source = count_frames(whole, sound.frames, tolerance=TOLERANCE)
        else:
            source = _mend_wav(whole, mapped=file is None)
        whole.seek(place)
    return source


def _mend_wav(whole: BinaryIO, *, mapped: bool) -> BytesIO | mmap | None:
    """Return a WAV that nobody closed so that libsndfile reads it to its end, None if it was."""
    size = whole.seek(0, os.SEEK_END)
    whole.seek(4)
    if int.from_bytes(whole.read(4), "little") + 8 == size:
        return None
    whole.seek(0)
    copy = mmap(whole.fileno(), 0, access=ACCESS_COPY) if mapped else BytesIO(whole.read())
    copy.seek(4)
    copy.write((8).to_bytes(4, "little"))  # what a program leaves that was stopped
    copy.seek(0)
    return copy


def decode_frames(
    path: Path, sound: soundfile.SoundFile, first: int, count: int
) -> npt.NDArray[np.float32]:
    """Return `count` frames [t, c] from `first` on, all of which the header promises.

    AudioError where they can't be decoded, or no music is in them (`check_samples`).
    """
    rate = sound.samplerate
    preroll = min(first, PREROLL if sound.format == "MP3" else 0)
    try:
        with muted_decoder():
            sound.seek(first - preroll)
            # one read: after each, soundfile seeks, which an MP3 decoder does not survive unharmed
            data = sound.read(preroll + count, dtype="float32", always_2d=True)[preroll:]
    except (RuntimeError, OSError, MemoryError) as error:
        at = f"{first / rate:.2f} s"
        raise audio_error(path, f"can't be decoded from {at} on ({reason(error)})") from None
    if not len(data) or len(data) < count - TOLERANCE * rate:
        raise _cut_short(path, sound, first + len(data))
    check_samples(path, data)
    return data


def iter_blocks(path: Path, sound: soundfile.SoundFile) -> Iterator[npt.NDArray[np.float32]]:
    """Yield all that the header promises from the start on, a second [t, c] at a time.

    The file is read in one go: whoever goes back in it afterwards opens it anew. AudioError as in
    `decode_frames`.
    """
    sound.seekable = lambda: False  # or soundfile would seek after each read, see `decode_frames`
    done = 0
    while done < sound.frames:
        count = min(sound.samplerate, sound.frames - done)
        try:
            with muted_decoder():
                data = sound.read(count, dtype="float32", always_2d=True)
        except (RuntimeError, OSError, MemoryError) as error:
            at = f"{done / sound.samplerate:.2f} s"
            raise audio_error(path, f"can't be decoded from {at} on ({reason(error)})") from None
        done += len(data)
        if len(data):
            check_samples(path, data)
            yield data
        if len(data) < count:
            break
    if done < sound.frames - TOLERANCE * sound.samplerate or not done:
        raise _cut_short(path, sound, done)


def check_samples(path: Path, data: npt.NDArray[np.float32]) -> None:
    """Raise AudioError where samples, of which there are some, are no music: NaN, or far too loud.

    Anything over `LOUDEST` would outweigh all other music wherever it is learned from.
    """
    peak = max(data.max(), -data.min())
    if not np.isfinite(peak):
        raise audio_error(path, "holds samples that are not finite (NaN or infinity); leave it out")
    if peak > LOUDEST:
        told = f"holds samples beyond {LOUDEST:g} times full scale; scale it to [-1, 1]"
        raise audio_error(path, f"{told}, or leave it out")


def _cut_short(path: Path, sound: soundfile.SoundFile, frames: int) -> AudioError:
    """Return the error for a file that ends after so many frames, sooner than it says."""
    end, promised = frames / sound.samplerate, sound.frames / sound.samplerate
    told = f"is cut short at {end:.2f} s; its header promises {promised:.2f} s: get it anew"
    return audio_error(path, told)


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

    target: Any = _ErrorCapturingFile(file)
    with soundfile.SoundFile(
        target, "w", sample_rate, channels, subtype=encoding, format=kind
    ) as sound:
        for piece in pieces:
            sound.write(piece)
            if target.error:
                break
    if target.error:
        raise target.error


class _ErrorCapturingFile:
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


def display_path(path: Path) -> str:
    """Return a path as text on one line that can be printed, whatever bytes its name has."""
    return escape_control_chars(os.fsencode(path).decode(errors="backslashreplace"))


def audio_error(path: Path, message: str) -> AudioError:
    """Return the error that says what is wrong with a file."""
    return AudioError.about(display_path(path), message)


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


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a file's header says."""

    frames: int
    sample_rate: int
    channels: int

    @property
    def seconds(self) -> float:
        """Return the duration."""
        return self.frames / self.sample_rate


def audio_info(path: Path, file: BinaryIO | None = None) -> AudioInfo:
    """Return what an audio file's header says; AudioError where it can't be read or is empty.

    The length of an MP3 whose header only guesses at it, or can't be right, is counted. `file` is
    the audio, open, where it lies within another; `path` is then what it is called.
    """
    with open_audio(path, file) as sound:
        return AudioInfo(sound.frames, sound.samplerate, sound.channels)


def file_digest(path: Path) -> str:
    """Return 12 hexadecimal digits (SHA-256) that stand for a file's bytes.

    AudioError where it can't be read.
    """
    try:
        stat = path.stat()
        return _digest(path.resolve(), stat.st_size, stat.st_mtime_ns)
    except FileNotFoundError:
        raise audio_error(path, "does not exist") from None
    except OSError as error:
        raise audio_error(path, f"can't be read ({reason(error)})") from None


@lru_cache
def _digest(path: Path, size: int, changed: int) -> str:
    """Return a file's digest, which stays what it is while neither size nor time changes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]


def read(
    path: Path,
    file: BinaryIO | None = None,
    *,
    sample_rate: int,
    channels: int,
    start: float = 0.0,
    seconds: float | None = None,
) -> Tensor:
    """Return audio [channels, t], float32, decoding only what is asked for.

    `start` and `seconds` count in the file's own time; where it ends sooner, t is less. Other
    rates are resampled (`sample_rate` in Hz); mono is repeated, more channels than asked for are
    averaged into each. Samples may exceed 1. `file` is as in `open_audio`. AudioError where the
    audio is unreadable, shorter than `start` or than its header says, not finite, or beyond 8.
    """
    with open_audio(path, file) as sound:
        rate, first = sound.samplerate, round(start * sound.samplerate)
        left = sound.frames - first
        if left <= 0:
            end = sound.frames / rate
            raise audio_error(path, f"has nothing at {start:.2f} s; it is {end:.2f} s long")
        count = left if seconds is None else min(left, ceil(seconds * rate - 1e-6))
        data = torch.from_numpy(decode_frames(path, sound, first, count))
    return resample(mix_channels(data.T, channels), rate, sample_rate)


def mix_channels(wave: Tensor, channels: int) -> Tensor:
    """Return audio [c, t] with another number of channels: repeated, or averaged into each."""
    if len(wave) == channels:
        return wave.contiguous()
    if len(wave) == 1:
        return wave.repeat(channels, 1)
    return wave.mean(0, keepdim=True).repeat(channels, 1)


def resample(wave: Tensor, old: int, new: int) -> Tensor:
    """Return audio [..., t] at `new` Hz that was at `old` Hz.

    A ratio with large terms is taken as the nearest one with small terms, less than a cent away:
    the filter grows with them, to gigabytes for 44,101 Hz.
    """
    if old == new:
        return wave
    from mousai_kit.audio.torchaudio_compat import torchaudio

    ratio = Fraction(old, new).limit_denominator(1000)
    result: Tensor = torchaudio.functional.resample(wave, ratio.numerator, ratio.denominator)
    return result
