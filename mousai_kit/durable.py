"""Durable files: there whole or not at all, also after a kill or a power cut."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from mousai_kit.errors import Problem, RequestError

PART = ".part"
"""How the name of a file ends that is being written; it begins with a dot."""


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
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
    """Raise RequestError where what --out names, or a part of its path, is a file."""
    there = next((it for it in (folder, *folder.parents) if it.exists()), None)
    if there is not None and not there.is_dir():
        raise RequestError(Problem(str(there), "", "is a file; --out names a folder"))


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


def from_the_disk(file: BinaryIO) -> None:
    """Let a file's next bytes be read from the disk, not from memory, where the system can."""
    file.seek(0)
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def sweep(folder: Path) -> None:
    """Remove what a killed process left half written in a folder."""
    for part in folder.glob(f".*{PART}"):
        with suppress(OSError):
            part.unlink()
