"""Combined data: a dataset that is made of others, each under a name of its own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from mousai_kit.core.errors import AudioError, Problem
from mousai_kit.core.interfaces import Clip, Dataset
from mousai_kit.data.tracks import TrackDataset


class CombinedDataset(Dataset):
    """Clips of several datasets; a subclass says which, and whose clip comes at an index.

    `data check` and the loudness of tracks go through the parts; messages name them.
    """

    parts: Mapping[str, Dataset]
    """The datasets by name, all of this split."""

    @abstractmethod
    def locate(self, index: int, epoch: int = 0) -> tuple[str, int, int]:
        """Return the name of the part that a clip is of, and its index and epoch there."""

    def caption(self, name: str, text: str) -> str:
        """Return what a caption of a part is here; default: the same."""
        return text

    def clip(self, index: int, epoch: int = 0) -> Clip:
        """Return a part's clip, whose source names the part; AudioError, which names it too."""
        name, place, its_epoch = self.locate(range(len(self))[index], epoch)
        with _telling(name):
            clip = self.parts[name].clip(place, its_epoch)
        source = source_in_part(name, clip.source or f"clip {place}")
        return replace(clip, text=self.caption(name, clip.text), source=source)

    def captions(self) -> Iterator[str]:
        """Yield the captions of all parts."""
        for name, part in self.parts.items():
            with _telling(name):
                texts = part.captions()
                while (text := next(texts, None)) is not None:
                    yield self.caption(name, text)

    def skipped_files(self) -> list[str]:
        """Return one line for each file that a part left out."""
        return [
            source_in_part(name, line)
            for name, part in self.parts.items()
            for line in part.skipped_files()
        ]

    def remarks(self) -> list[str]:
        """Return what is to be known of each part."""
        return [
            source_in_part(name, line)
            for name, part in self.parts.items()
            for line in part.remarks()
        ]


def source_in_part(name: str, source: str) -> str:
    """Return what messages call a track of a part: two parts may have one of the same name."""
    return f"{name}: {source}"


def holds_tracks(dataset: Dataset) -> bool:
    """Tell whether a dataset is one of tracks, or has one among its parts."""
    if isinstance(dataset, CombinedDataset):
        return any(map(holds_tracks, dataset.parts.values()))
    return isinstance(dataset, TrackDataset)


@contextmanager
def _telling(name: str) -> Iterator[None]:
    """Name the part in an AudioError."""
    try:
        yield
    except AudioError as error:
        problems = (Problem(name, "", str(problem)) for problem in error.problems)
        raise AudioError(*problems) from None
