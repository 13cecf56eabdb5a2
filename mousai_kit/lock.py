"""Lock: one process at a time, until it ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


class InUseError(Exception):
    """Another process, `owner`, holds the lock."""

    def __init__(self, owner: str) -> None:
        super().__init__(owner)
        self.owner = owner


class RefusedError(Exception):
    """The lock's file can't be written; `reason` says why."""

    def __init__(self, reason: OSError) -> None:
        super().__init__(str(reason))
        self.reason = reason


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock that a file stands for, and write down in it which process does."""
    try:
        file = path.open("a+")
    except OSError as error:
        raise RefusedError(error) from None
    with file:
        _take(file)
        _HELD.add(file)
        try:
            yield
        finally:
            _HELD.discard(file)


def _take(file: TextIO) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
    except BlockingIOError:
        file.seek(0)
        raise InUseError(file.read().strip() or "unknown") from None
    except OSError as error:
        raise RefusedError(error) from None


_HELD: set[TextIO] = set()


def _let_go() -> None:
    """Close the locks' files in a process that was forked off, which shares them otherwise.

    A process that reads audio may outlive for seconds one that was killed.
    """
    for file in _HELD:
        file.close()


os.register_at_fork(after_in_child=_let_go)
