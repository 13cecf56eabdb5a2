"""Part: some bytes of a file, to be read as if they were a file."""

from __future__ import annotations

import os
from io import RawIOBase
from typing import Any, BinaryIO


class Part(RawIOBase):
    """`size` bytes of an open file from `offset` on; what it is a part of stays open.

    Where the disk refuses, it ends and keeps the `error`: libsndfile, which calls it, has no way
    to pass one on.
    """

    def __init__(self, whole: BinaryIO, offset: int, size: int) -> None:
        self.error: OSError | None = None
        self._whole, self._offset, self._size, self._at = whole, offset, size, 0

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def seekable(self) -> bool:
        """Return that any place of it can be read."""
        return True

    def tell(self) -> int:
        """Return the place that is read next."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place; ValueError for one before the beginning."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError("a place before the beginning")
        self._at = start + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with what follows, as far as there is something; return how much."""
        room = memoryview(buffer).cast("B")[: max(0, self._size - self._at)]
        count = 0
        try:
            self._whole.seek(self._offset + self._at)
            count = self._whole.readinto(room)  # type: ignore[attr-defined]
        except OSError as error:
            self.error = error
        self._at += count
        return count
