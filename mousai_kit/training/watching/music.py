"""Music: whether there is as much to learn from as it looks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from mousai_kit.data import Clips
from mousai_kit.errors import AudioError, shown
from mousai_kit.interfaces import Dataset
from mousai_kit.library.early import Smaller, duplicates_and_silence
from mousai_kit.training.watching.watcher import Watcher

if TYPE_CHECKING:
    from mousai_kit.training.loop import Training

AT_MOST = 64
"""Tracks, or captions, that are looked at."""
SHARE = 0.05
"""Share of tracks that teach nothing new which is worth a line."""
CLIPS_SHOWN = 2
"""Copies that are named."""


class Music(Watcher):
    """Warns, before the first step, of tracks that come twice or are silent, of a batch that is
    larger than all there is, and of captions that say nothing.

    It takes the time to decode two seconds of 64 tracks, and to read as many captions.
    """

    name = "music"

    def begun(self, training: Training) -> None:
        """Look at a sample of what there is."""
        if training.step:
            return
        self._count(training)
        if isinstance(training.clips, Dataset):
            self._compare(training, duplicates_and_silence(training.clips, at_most=AT_MOST))
        if training.stage.space is None:
            self._read(training)

    def _count(self, training: Training) -> None:
        count, batch = len(training.clips), training.settings.batch
        if batch > count:
            self.tell(
                training,
                "few",
                f"a step of {batch} clips goes {batch / count:.1f} times through all there are "
                f"({count}): little can be learned but these; lower `batch`, or add music",
            )

    def _compare(self, training: Training, found: Smaller) -> None:
        """Warn of what teaches nothing new."""
        if found.share < SHARE:
            return
        named = [f"{it} is {of}" for it, of in found.duplicates[:CLIPS_SHOWN]]
        copies = f" ({', '.join(named)})" if named else ""
        self.tell(
            training,
            "smaller",
            f"the data is smaller than it looks: of {found.looked_at} tracks that were looked at, "
            f"{len(found.duplicates)} are copies{copies}, {len(found.silent)} silent and "
            f"{len(found.unreadable)} can't be read ({found.share:.0%}); "
            "`mousai-kit data check` tells of all",
        )

    def _read(self, training: Training) -> None:
        """Warn of captions from which nothing can be told."""
        texts = list(captions(training.clips))
        empty = sum(not text.strip() for text in texts)
        if empty > SHARE * len(texts):
            self.tell(
                training,
                "empty",
                f"{empty} of {len(texts)} captions that were looked at are empty; the text can't "
                "be heeded where there is none",
            )
        elif len(texts) > 1 and len(set(texts)) == 1:
            self.tell(
                training,
                "same",
                f"all {len(texts)} captions that were looked at are the same ({shown(texts[0])}); "
                "the text can't be heeded where it tells nothing apart",
            )


def captions(clips: Clips) -> Iterator[str]:
    """Yield the captions of clips spread over an epoch; what can't be decoded is left out."""
    count = min(AT_MOST, len(clips))
    for place in range(count):
        with suppress(AudioError):
            yield clips.clip(place * len(clips) // count).text
