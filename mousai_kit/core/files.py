"""Durable files, whole or not at all, also after a kill or a power cut, and locks on them."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TextIO

from mousai_kit.core.errors import RequestError, WeightsError

PART = ".part"
"""How the name of a file ends that is being written; it begins with a dot."""


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Open a file for what is to be `path`: it takes that name when it is whole and on the disk.

    OSError, and nothing changed, where the disk refuses.
    """
    part = path.with_name(f".{path.name}{PART}")
    try:
        with part.open("w+b") as file:
            yield file
            sync(file)
        part.replace(path)
        sync_folder(path.parent)
    finally:
        with suppress(OSError):
            part.unlink()


def check_folder(folder: Path) -> None:
    """Raise RequestError where what is to be a folder, or a part of its path, is a file."""
    there = next((item for item in (folder, *folder.parents) if item.exists()), None)
    if there is not None and not there.is_dir():
        raise RequestError.about(there, "is a file; name a folder to write to")


def sync(file: BinaryIO) -> None:
    """Wait until what was written to a file is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, where its file system knows how to."""
    with suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def drop_page_cache(file: BinaryIO) -> None:
    """Let a file's next bytes be read from the disk, not from memory, where the system can."""
    file.seek(0)
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def remove_partial_files(folder: Path) -> None:
    """Remove what a killed process left half written in a folder."""
    for part in folder.glob(f".*{PART}"):
        with suppress(OSError):
            part.unlink()


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically: beside it, synced, then renamed."""
    with _refusals_told(path), atomic_write(path) as file:
        file.write(data)


@contextmanager
def _refusals_told(path: Path) -> Iterator[None]:
    """Tell in one line why a file can't be written."""
    try:
        yield
    except OSError as error:
        raise WeightsError.about(
            path, f"can't be written ({error.strerror}); free some space or write elsewhere"
        ) from None


class LockHeldError(Exception):
    """Another process, which the text names by its number, holds the lock."""


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold the lock that a file stands for, and write down in it which process does.

    LockHeldError where another holds it; OSError where the file can't be written.
    """
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
        except BlockingIOError:
            file.seek(0)
            raise LockHeldError(file.read().strip() or "unknown") from None
        _HELD.add(file)
        try:
            yield
        finally:
            _HELD.discard(file)


_HELD: set[TextIO] = set()


def _let_go() -> None:
    """Close the locks' files in a process that was forked off, which shares them otherwise.

    A process that reads audio may outlive for seconds one that was killed.
    """
    for file in _HELD:
        file.close()


os.register_at_fork(after_in_child=_let_go)
