"""MP3 streams: their frames counted where a header only guesses at them; their decoder's notes.

libsndfile takes a track's length from its Xing header, however wrong; without one it guesses by the
first frame's bitrate.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from io import BytesIO
from typing import Any, BinaryIO

MORE = 0.02, 4096
"""Share and number of bytes that may follow the audio that a header tells of: tags, mostly."""
LOOKED_AT = 1 << 16
"""Bytes at a stream's beginning by which its header is judged."""
REMEMBERED = 4096
"""Streams whose frames are remembered, at most."""
FRAMES = 1
"""The flag of a Xing header that has the number of frames, and nothing else."""


def count_frames(file: BinaryIO, promised: int, *, tolerance: float) -> BytesIO | None:
    """Return an MP3's frames behind a header that counts them, without what is no frame of it.

    None where the length by its own header, in samples, is no guess, or right within `tolerance`
    seconds.
    """
    from mutagen.mp3 import HeaderNotFoundError, MPEGInfo

    try:
        info = MPEGInfo(file)
    except HeaderNotFoundError:
        return None
    size = file.seek(0, os.SEEK_END) - info.frame_offset
    file.seek(info.frame_offset)
    data = file.read(LOOKED_AT)
    if info.layer != 3 or not _is_guess(info, size, data):
        return None
    data += file.read()
    layout = _layout(data)
    samples = layout.frames * _samples(info)
    if not samples or abs(samples - promised) <= tolerance * info.sample_rate:
        return None
    runs = (data[first:end] for first, end in layout.runs)
    return BytesIO(b"".join([_header(data, layout.frames), *runs]))


@dataclass(frozen=True, slots=True)
class _Layout:
    """How many frames a stream has, and where they follow one another without anything between."""

    frames: int
    runs: list[tuple[int, int]]


def _layout(data: bytes) -> _Layout:
    """Return a stream's layout; counted once in a process, as each crop of a track asks anew."""
    key = blake2b(data, digest_size=16).digest()
    if (found := _LAYOUTS.get(key)) is None:
        count, runs = 0, list[tuple[int, int]]()
        for first, end in _frames(data):
            count += 1
            joins = runs and runs[-1][1] == first
            runs.append((runs.pop()[0], end) if joins else (first, end))
        if len(_LAYOUTS) >= REMEMBERED:
            _LAYOUTS.clear()
        _LAYOUTS[key] = found = _Layout(count, runs)
    return found


_LAYOUTS: dict[bytes, _Layout] = {}


def _is_guess(info: Any, size: int, begin: bytes) -> bool:
    """Return whether a stream of `size` bytes has no length told, or one that can't be true.

    That is, where it goes on after the bytes told of, or has so few frames that they were larger on
    average than any at its beginning.
    """
    from mutagen.mp3 import BitrateMode

    told = info.length * info.bitrate / 8
    average = info.bitrate / 8 * _samples(info) / info.sample_rate
    largest = max((end - first for first, end in _frames(begin)), default=0)
    return bool(
        info.bitrate_mode == BitrateMode.UNKNOWN
        or size - told > max(MORE[0] * size, MORE[1])
        or average > 1.1 * largest
    )


def _samples(info: Any) -> int:
    """Return the samples of a frame."""
    return 1152 if info.version == 1 else 576


def _frames(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield where each frame of a stream begins and ends; a Xing header is none."""
    kind, tag, place, size = data[1] | 1, _xing_offset(data), 0, len(data)
    while 0 <= place < size - 2:
        if data[place] == 0xFF and data[place + 1] | 1 == kind:  # with a checksum or without
            end = place + _frame_size(data[place : place + 3])
            if place < end <= size:
                if data[place + tag : place + tag + 4] not in (b"Xing", b"Info"):
                    yield place, end
                place = end
                continue
        place = data.find(b"\xff", place + 1)


def _xing_offset(data: bytes) -> int:
    """Return where in a frame of this stream a Xing header stands: after the side information."""
    mpeg1, mono = data[1] & 0x08, data[3] >= 0xC0
    return 4 + ((17 if mono else 32) if mpeg1 else (9 if mono else 17))


@lru_cache(maxsize=1024)
def _frame_size(head: bytes) -> int:
    """Return how many bytes a frame has that begins with these three; 0 where none does."""
    from mutagen.mp3 import HeaderNotFoundError, MPEGFrame

    file = BytesIO(head + b"\0")
    try:
        MPEGFrame(file)
    except HeaderNotFoundError:
        return 0
    return file.tell()


def _header(data: bytes, count: int) -> bytes:
    """Return a Xing header, in a frame without sound, for so many frames of a stream."""
    head = bytes([0xFF, data[1] | 1, data[2] & 0x0C | 0x90, data[3]])  # 128 kb/s, or 80
    tag = b"Xing" + FRAMES.to_bytes(4) + count.to_bytes(4)
    return (head.ljust(_xing_offset(data), b"\0") + tag).ljust(_frame_size(head[:3]), b"\0")


@contextmanager
def muted_decoder() -> Iterator[None]:
    """Keep libmpg123's notes off the terminal, which name no file: what fails is told as an error.

    They go to C's `stderr`, which Python's own does not pass through. Threads share it, without a
    lock, which would stay held in a process that is forked off meanwhile.
    """
    token = object()
    _MUTED.add(token)
    _STDERR.value = _NOWHERE
    try:
        yield
    finally:
        _MUTED.discard(token)
        if not _MUTED:
            _STDERR.value = _TERMINAL


def _open_nowhere() -> int | None:
    """Return a stream of C's that keeps nothing."""
    _C.fopen.restype = ctypes.c_void_p
    opened: int | None = _C.fopen(os.fsencode(os.devnull), b"w")
    return opened


_C = ctypes.CDLL(None)
_STDERR = ctypes.c_void_p.in_dll(_C, "__stderrp" if sys.platform == "darwin" else "stderr")
_TERMINAL = _STDERR.value
_NOWHERE = _open_nowhere() or _TERMINAL
_MUTED: set[object] = set()
