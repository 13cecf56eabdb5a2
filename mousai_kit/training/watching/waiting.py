"""Waiting: whether clips come slower than they are learned from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mousai_kit.training.step import Taken
from mousai_kit.training.watching.watcher import Watcher

if TYPE_CHECKING:
    from mousai_kit.training.loop import Training

SECONDS = 60.0
"""Seconds of training from one look to the next."""
SHARE = 0.3
"""Share of them that is too much to wait."""


class Waiting(Watcher):
    """Warns where more than 30 % of a minute were spent waiting for clips."""

    name = "waiting"

    def __init__(self) -> None:
        super().__init__()
        self._since: tuple[float, float] | None = None

    def begun(self, training: Training) -> None:
        """Take the time."""
        self._since = training.seconds, training.waits.seconds

    def stepped(self, training: Training, taken: Taken) -> None:
        """Look once a minute."""
        now = training.seconds, training.waits.seconds
        then = self._since or now
        passed, waited = (b - a for a, b in zip(then, now, strict=True))
        if passed < SECONDS:
            return
        self._since = now
        if (share := waited / passed) > SHARE:
            workers, cores = training.settings.workers, os.cpu_count() or 1
            self.tell(
                training,
                "slow",
                f"{share:.0%} of the time goes by waiting for clips; raise `workers` (now "
                f"{workers}; there are {cores} cores), or have files that are read faster, such "
                "as FLAC on a disk of this machine",
            )
