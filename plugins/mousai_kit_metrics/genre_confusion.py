"""Genre confusion: whether clips are heard as the genre they were asked for.

Legend: n windows of a clip, d features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import torch
from pydantic import model_validator
from torch import Tensor
from torch.nn.functional import normalize

import mousai_kit.api as mk
from mousai_kit_metrics.genre_classifier import GenreClassifier, cross_validate
from mousai_kit_metrics.sets import CHANCE, REAL, format_count

FOLDS = 5
Hear = Callable[[Sequence[Tensor]], list[str]]
"""Returns the genre that each clip of windows [n, d] is taken for."""


@dataclass(frozen=True, slots=True)
class LabelledClips:
    """Clips of known genres, each with its windows and its track."""

    windows: list[Tensor]
    genres: list[str]
    tracks: list[str]

    @classmethod
    def of(cls, clips: mk.ClipSet, embedding: mk.Embedding, genres: Sequence[str]) -> Self:
        """Return the clips of a set that have one of the genres."""
        if not {*genres} & {*clips.genres}:
            return cls([], [], [])
        tracks = [clip.source for clip in clips.clips]
        rows = zip(clips.vectors(embedding), clips.genres, tracks, strict=True)
        kept = [row for row in rows if row[1] in genres]
        return cls([row[0] for row in kept], [row[1] for row in kept], [row[2] for row in kept])


class GenreConfusion(mk.SetMetric):
    """Share of clips that a classifier hears as the genre they were asked for, with a table.

    `trained`: logistic regression on the embedding of the training clips that have the fact
    `genre`. `zero-shot`: the nearest of the genres' names, in an embedding that reads text. How far
    to trust it, its own share on real music says: held-out clips, or training clips of tracks that
    it did not learn from.
    """

    name = "genre-confusion"
    needs_genres = True
    unit: ClassVar[str] = "%"
    better: ClassVar[Literal["lower", "higher"]] = "higher"

    class Options(mk.Options):
        """Options of `metric: genre-confusion`."""

        embedding: mk.Use[mk.Embedding] = mk.default("mel-statistics")
        classifier: Literal["trained", "zero-shot"] = mk.Field(
            "trained", description="learned from the training clips, or by the genres' names"
        )

        @model_validator(mode="after")
        def _check_reads_text(self) -> GenreConfusion.Options:
            component = self.embedding.component
            if self.classifier == "zero-shot" and not component.reads_text:
                told = "`classifier: zero-shot` needs an embedding that reads text, such as clap"
                raise ValueError(f"{told} (got '{component.name}')")
            return self

    def __init__(self, options: Options, *, sample_rate: int) -> None:
        self.classifier = options.classifier
        self.embedding = options.embedding.build(sample_rate=sample_rate).eval()

    @property
    def embeddings(self) -> Sequence[mk.Embedding]:
        """Return the embedding."""
        return (self.embedding,)

    def score(self, generated: mk.ClipSet, reference: mk.RealClips) -> mk.SetScore:
        """Return the share in percent; beside it that of guesses and of real music."""
        genres = self._known_genres(generated, reference.train)
        made = LabelledClips.of(generated, self.embedding, genres)
        train = LabelledClips.of(reference.train, self.embedding, genres)
        hear: Hear
        if self.classifier == "trained":
            hear = GenreClassifier.learn(train.windows, train.genres).hear
        else:
            hear = self._hear_by_name(genres)
        heard = hear(made.windows)
        real, real_heard, told = self._hear_real(reference.validation, train, hear, genres)
        beside = {CHANCE: 100 / len(genres)}
        matrices = [tabulate(made.genres, heard, genres, "generated clips")]
        if real:
            beside[REAL] = share_right(real, real_heard)
            matrices.append(tabulate(real, real_heard, genres, f"real music: {told}"))
        note = format_count(len(made.genres), "generated clip")
        if left := len(generated) - len(made.genres):
            note += f" ({left} more without a genre that is known)"
        note += f"; real music: {told}"
        return mk.SetScore(share_right(made.genres, heard), beside, note, matrices)

    def _known_genres(self, generated: mk.ClipSet, train: mk.ClipSet) -> list[str]:
        """Return the genres that are told apart; RequestError where none can be."""
        known = {*train.genres} - {""}
        asked = {*generated.genres} - {""}
        hint = "name prompts for two genres or more in `evaluate.prompts`"
        if self.classifier == "zero-shot":
            known |= asked
        elif len(known) < 2:
            told = "needs training clips of two genres or more, each told by its fact 'genre'"
            raise mk.RequestError.about(self.name, f"{told} (got {len(known)})")
        elif len(asked) > 1:
            hint = f"those of the training clips are {', '.join(sorted(known))}"
        if len(asked & known) < 2:
            told = "needs clips of two genres or more that are known"
            raise mk.RequestError.about(self.name, f"{told}; {hint} (got {len(asked & known)})")
        return sorted(known)

    def _hear_by_name(self, genres: Sequence[str]) -> Hear:
        """Return the search for the nearest of the genres' names."""
        with torch.no_grad():
            texts = self.embedding.embed_text([f"{genre} music" for genre in genres])
        names = normalize(texts.double().cpu(), dim=-1)

        def hear(clips: Sequence[Tensor]) -> list[str]:
            likeness = [(normalize(clip.double(), dim=-1) @ names.T).mean(0) for clip in clips]
            return [genres[int(row.argmax())] for row in likeness]

        return hear

    def _hear_real(
        self, validation: mk.ClipSet, train: LabelledClips, hear: Hear, genres: Sequence[str]
    ) -> tuple[Sequence[str], Sequence[str], str]:
        """Return the genres of real clips, what they are taken for, and which clips they are."""
        held_out = LabelledClips.of(validation, self.embedding, genres)
        if len({*held_out.genres}) > 1:
            told = format_count(len(held_out.genres), "held-out clip")
            return held_out.genres, hear(held_out.windows), told
        if self.classifier == "zero-shot":
            told = format_count(len(train.genres), "training clip")
            return train.genres, hear(train.windows), told
        numbers, heard = cross_validate(train.windows, train.genres, train.tracks, FOLDS)
        if not numbers:
            return [], [], "too few tracks to tell how far to trust it"
        told = (
            f"{format_count(len(numbers), 'training clip')}, of tracks that it did not learn from"
        )
        return [train.genres[at] for at in numbers], heard, told


def share_right(asked: Sequence[str], heard: Sequence[str]) -> float:
    """Return the percentage of clips that are heard as what they were asked for."""
    right = sum(ours == theirs for ours, theirs in zip(asked, heard, strict=True))
    return 100 * right / len(asked)


def tabulate(
    asked: Sequence[str], heard: Sequence[str], genres: Sequence[str], title: str
) -> mk.Matrix:
    """Return for each genre that was asked for what its clips were taken for."""
    rows = sorted(set(asked))
    pairs = list(zip(asked, heard, strict=True))
    shares = [[pairs.count((row, column)) / asked.count(row) for column in genres] for row in rows]
    return mk.Matrix(rows, genres, shares, title)
