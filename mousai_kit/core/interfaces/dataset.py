"""Dataset: crops of music with their captions."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from torch import Tensor

from mousai_kit.core.component import Component, Options

Split = Literal["train", "validation"]
"""Which tracks: those that are learned from, or those held out."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A piece of music: `wave` [c, t] float32 in [-1, 1], its caption, and where it came from."""

    wave: Tensor
    text: str
    """The caption, in one line; it may be empty."""
    source: str = ""
    """Name of the track for messages: a file, or a made clip's number. No two tracks share one."""
    start: float | None = None
    """Where in its track it begins, in seconds; None where that is not known."""
    track_seconds: float | None = None
    """Length of its track; None where that is not known."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What is known of its track besides, by name: tags, the keys of a sidecar."""
    extras: Mapping[str, Tensor] = field(default_factory=dict)
    """What a stage is told of it besides text, by name, each of one shape for all clips."""


class Dataset(Component):
    """Crops of music with captions; the same index and epoch always give the same clip.

    Built with `sample_rate` (Hz), `channels` and `length` (samples) of the clips, and `split`:
    tracks of `validation` are never in `train`, whatever the length and the rate. Must be
    picklable: workers read from copies. Nothing is drawn from a generator of the whole process.
    """

    kind: ClassVar[str] = "dataset"
    build_kwargs: ClassVar[tuple[str, ...]] = ("sample_rate", "channels", "length", "split")
    cache_only_options: ClassVar[tuple[str, ...]] = ()
    """Options that leave all clips as they are: a change of them trains nothing again."""

    def __init__(
        self, options: Options, *, sample_rate: int, channels: int, length: int, split: Split
    ) -> None: ...

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of clips in an epoch."""

    @abstractmethod
    def clip(self, index: int, epoch: int = 0) -> Clip:
        """Return clip `index` in [0, len) of an epoch; AudioError if its file can't be read."""

    def __getitem__(self, index: int) -> Clip:
        """Return a clip of the first epoch."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self.clip(index)

    def captions(self) -> Iterator[str]:
        """Yield this split's captions, for a vocabulary; cheaper than clips where possible.

        One for each clip, or for each track: together they have the words that clips say.
        """
        return (self.clip(index).text for index in range(len(self)))

    def skipped_files(self) -> list[str]:
        """Return one line for each file that was left out, with the reason; default: none."""
        return []

    def remarks(self) -> list[str]:
        """Return one line for each thing to be known of what is not left out; default: none."""
        return []
