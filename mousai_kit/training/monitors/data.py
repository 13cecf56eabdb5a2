"""Monitors of the data: whether there is as much as it looks, and whether it comes fast enough."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

from mousai_kit.core.errors import AudioError, format_value
from mousai_kit.core.interfaces import Dataset
from mousai_kit.data.datasets import ClipSource
from mousai_kit.data.duplicates import QuickCheck, duplicates_and_silence
from mousai_kit.training.callbacks.base import TrainerView
from mousai_kit.training.monitors.base import Monitor
from mousai_kit.training.train_step import StepResult

AT_MOST = 64
"""Tracks, or captions, that are looked at."""
SHARE = 0.05
"""Share of tracks that teach nothing new which is worth a line."""


class DataQualityMonitor(Monitor):
    """Warns, before the first step, of tracks that come twice or are silent, of a batch that is
    larger than all there is, and of captions that say nothing.

    It takes the time to decode two seconds of 64 tracks, and to read as many captions.
    """

    name = "music"

    def on_train_start(self, training: TrainerView) -> None:
        """Look at a sample of what there is."""
        if training.step:
            return
        self._count(training)
        with training.screen.busy("looking at the music"):
            if isinstance(training.clips, Dataset):
                self._compare(training, duplicates_and_silence(training.clips, at_most=AT_MOST))
            if training.stage.hears_text:
                self._check_captions(training)

    def _count(self, training: TrainerView) -> None:
        count, batch = len(training.clips), training.settings.batch
        if batch > count:
            self.warn_once(
                training,
                "few",
                f"a step of {batch} clips goes {batch / count:.1f} times through all there are "
                f"({count}): little can be learned but these; lower `batch`, or add music",
            )

    def _compare(self, training: TrainerView, found: QuickCheck) -> None:
        """Warn of what teaches nothing new."""
        if found.share < SHARE:
            return
        named = [f"{duplicate} is {of}" for duplicate, of in found.duplicates[:2]]
        copies = f" ({', '.join(named)})" if named else ""
        self.warn_once(
            training,
            "smaller",
            f"the data is smaller than it looks: of {found.looked_at} tracks that were looked at, "
            f"{len(found.duplicates)} are copies{copies}, {len(found.silent)} silent and "
            f"{len(found.unreadable)} can't be read ({found.share:.0%}); "
            "`mousai-kit data check` tells of all",
        )

    def _check_captions(self, training: TrainerView) -> None:
        """Warn of captions from which nothing can be told."""
        texts = list(captions(training.clips))
        empty = sum(not text.strip() for text in texts)
        if empty > SHARE * len(texts):
            self.warn_once(
                training,
                "empty",
                f"{empty} of {len(texts)} captions that were looked at are empty; the text can't "
                "be heeded where there is none",
            )
        elif len(texts) > 1 and len(set(texts)) == 1:
            self.warn_once(
                training,
                "same",
                f"all {len(texts)} captions that were looked at are the same "
                f"({format_value(texts[0])}); "
                "the text can't be heeded where it tells nothing apart",
            )


def captions(clips: ClipSource) -> Iterator[str]:
    """Yield the captions of clips spread over an epoch; what can't be decoded is left out."""
    count = min(AT_MOST, len(clips))
    for place in range(count):
        with suppress(AudioError):
            yield clips.clip(place * len(clips) // count).text


SECONDS = 60.0
"""Seconds of training from one look to the next."""
WAITING_SHARE = 0.3
"""Share of them that is too much to wait."""


class DataWaitMonitor(Monitor):
    """Warns where more than 30 % of a minute were spent waiting for clips."""

    name = "waiting"

    def __init__(self) -> None:
        super().__init__()
        self._since: tuple[float, float] | None = None

    def on_train_start(self, training: TrainerView) -> None:
        """Take the time."""
        self._since = training.seconds, training.waits.seconds

    def on_step_end(self, training: TrainerView, taken: StepResult) -> None:
        """Look once a minute."""
        now = training.seconds, training.waits.seconds
        then = self._since or now
        passed, waited = (b - a for a, b in zip(then, now, strict=True))
        if passed < SECONDS:
            return
        self._since = now
        if (share := waited / passed) > WAITING_SHARE:
            workers, cores = training.settings.workers, os.cpu_count() or 1
            self.warn_once(
                training,
                "slow",
                f"{share:.0%} of the time goes by waiting for clips; raise `workers` (now "
                f"{workers}; there are {cores} cores), or have files that are read faster, such "
                "as FLAC on a disk of this machine",
            )
