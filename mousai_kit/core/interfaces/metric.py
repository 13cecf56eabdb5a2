"""Metric: a figure for how near audio is to the audio, the music or the text that it should be.

Legend: b batch, c channels, t time in samples, n vectors of a clip.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Generic, Literal

import torch
from torch import Tensor
from typing_extensions import TypeVar

from mousai_kit.core.component import Component, Options
from mousai_kit.core.errors import RequestError
from mousai_kit.core.interfaces.dataset import Clip
from mousai_kit.core.interfaces.embedding import Embedding

GENRE = "genre"
"""The fact of a clip that says its genre, in a set whose clips are asked for by genre."""


def embed_clip(embedding: Embedding, clip: Clip) -> Tensor:
    """Return a clip's vectors [n, features] on the CPU; RequestError where they are not finite."""
    device = next(embedding.parameters(), clip.wave).device
    with torch.no_grad():
        vectors: Tensor = embedding(clip.wave[None].to(device))[0].float().cpu()
    if not vectors.isfinite().all():
        raise RequestError(
            f"the vectors that '{embedding.name}' makes of '{clip.source}' are not finite; "
            "leave the clip out, or use another embedding"
        )
    return vectors


class ClipSet:
    """Clips of a system, or real ones, as metrics of sets and of texts see them.

    `clips` have their prompt or caption as `text`, and where clips are asked for by genre that as
    the fact `genre`. They may be read from files each time: go through them once.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        embed: Callable[[Embedding, Clip], Tensor] = embed_clip,
    ) -> None:
        """Make a set of clips of one sample rate; `embed` returns a clip's vectors."""
        self.clips, self._embed = clips, embed

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def prompts(self) -> list[str]:
        """Return each clip's prompt, or caption."""
        return [clip.text for clip in self.clips]

    @property
    def genres(self) -> list[str]:
        """Return each clip's genre; empty where it has none."""
        return [clip.facts.get(GENRE, "") for clip in self.clips]

    def vectors(self, embedding: Embedding) -> list[Tensor]:
        """Return each clip's vectors [n, features]; RequestError where they are not finite."""
        return [self._embed(embedding, clip) for clip in self.clips]


@dataclass(frozen=True, slots=True)
class RealClips:
    """The music that a system learned from, and that was held out; either may be empty."""

    train: ClipSet
    validation: ClipSet


@dataclass(frozen=True, slots=True)
class Matrix:
    """A table of shares, such as a confusion matrix: each row sums to 1, or is all 0."""

    rows: Sequence[str]
    """What was asked for."""
    columns: Sequence[str]
    """What it was taken for."""
    shares: Sequence[Sequence[float]]
    """A row of shares for each of `rows`."""
    title: str = ""
    """What it shows, in a few words."""


@dataclass(frozen=True, slots=True)
class SetScore:
    """What a metric of sets says."""

    value: float
    """The score."""
    beside: Mapping[str, float] = field(default_factory=dict)
    """Further figures by name, to be seen beside it: the same of real music, say."""
    note: str = ""
    """What must be known to read it: how many clips it rests on."""
    matrices: Sequence[Matrix] = ()
    """Tables that show more than the score."""


Made = TypeVar("Made", default=Tensor)
Reference = TypeVar("Reference", default=Tensor)
Score = TypeVar("Score", default=float)


class Metric(Component, Generic[Made, Reference, Score]):
    """Compares what an autoencoder makes of a clip with the clip. Built with `sample_rate` (Hz).

    What is generated from text has no clip of its own to be compared with: `mk.TextMetric`
    compares it with its prompt, `mk.SetMetric` all of it with all real music.
    """

    kind: ClassVar[str] = "metric"
    build_kwargs: ClassVar[tuple[str, ...]] = ("sample_rate",)

    unit: ClassVar[str]
    """Unit of the score, empty for a plain number."""
    better: ClassVar[Literal["lower", "higher"]]
    """Which way is better."""

    def __init__(self, options: Options, *, sample_rate: int) -> None: ...

    @abstractmethod
    def score(self, generated: Made, reference: Reference) -> Score:
        """Return the score of audio [b, c, t] against the reference, of the same shape.

        A finite number, for silence too. The reference itself scores best; every clip, channel and
        moment counts. The same sounds score the same always, and stay as they are.
        """

    @property
    def embeddings(self) -> Sequence[Embedding]:
        """Return the embeddings that it rests on, which name its figures; default: none."""
        return ()

    @property
    def label(self) -> str:
        """Return its name, with the embeddings: figures of other ones can't be compared."""
        names = ", ".join(embedding.name for embedding in self.embeddings)
        return f"{self.name} ({names})" if names else self.name


class TextMetric(Metric[ClipSet, Sequence[str], list[float]]):
    """Compares clips with the texts that they were made from. Built with `sample_rate` (Hz).

    The report says it of clips with their prompts, with another clip's, and of real clips with
    their captions.
    """

    @abstractmethod
    def score(self, generated: ClipSet, reference: Sequence[str]) -> list[float]:
        """Return a finite score for each clip and the text `reference` has for it.

        RequestError, which the report shows, where there is none.
        """


class SetMetric(Metric[ClipSet, RealClips, SetScore]):
    """Compares all clips that a system makes with real music. Built with `sample_rate` (Hz)."""

    needs_genres: ClassVar[bool] = False
    """Whether clips must be asked for by genre: `evaluate.prompts` is refused without, then."""

    @abstractmethod
    def score(self, generated: ClipSet, reference: RealClips) -> SetScore:
        """Return the score of clips against real ones; their order does not matter.

        RequestError, which the report shows, where there is none: too few clips, say.
        """
