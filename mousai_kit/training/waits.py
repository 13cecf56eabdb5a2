"""Waits: how long a training stands still because the next clips are not there yet."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TypeVar

T = TypeVar("T")


class Waits:
    """The seconds that were waited. The first batch is not counted: workers have to start."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def timed(self, batches: Iterator[T]) -> Iterator[T]:
        """Yield what there is, and count the time until it comes."""
        started: float | None = None
        for batch in batches:
            if started is not None:
                self.seconds += time.monotonic() - started
            yield batch
            started = time.monotonic()
