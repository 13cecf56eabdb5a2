"""Nearest training clips: whether a system copies what it learned from.

Legend: n windows of a clip, N of all training clips, k training clips, d features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import ClassVar, Literal, Self

import torch
from torch import Tensor

import mousai_kit.api as mk
from mousai_kit_metrics.sets import check_count, check_generated, format_count

TOLD = 3
"""Pairs that the note names."""
UNLIKELY = 0.05
"""Part of real clips that are nearer to a training clip than what counts as near."""
NEAR = "clips nearer than 19 of 20 real ones (%)"


@dataclass(frozen=True, slots=True)
class TrainingClips:
    """Training clips as a place to look for neighbours in: windows, each feature of unit spread."""

    windows: Tensor
    """[N, d]."""
    owners: Tensor
    """Which clip a window is of [N]."""
    sources: Sequence[str]
    """The tracks of the k clips."""
    names: Sequence[str]
    """What they are called."""
    spread: Tensor
    """Each feature's standard deviation [d]."""

    @classmethod
    def collect(cls, clips: mk.ClipSet, vectors: Sequence[Tensor]) -> Self:
        """Collect clips, one or more, with their windows [n, d]."""
        windows = torch.cat(list(vectors)).double()
        spread = windows.std(0, correction=0)
        spread = torch.where(spread > 1e-9 * spread.max(), spread, spread.max().clamp(min=1e-12))
        owners = torch.repeat_interleave(torch.tensor([len(clip) for clip in vectors]))
        sources, names = zip(*((clip.source, name_clip(clip)) for clip in clips.clips), strict=True)
        return cls(windows / spread, owners, sources, names, spread)

    def nearest(self, clip: Tensor, *, source: str = "") -> tuple[float, int]:
        """Return how far a clip [n, d] is from the nearest one, and which that is.

        The mean over its windows of how far each is from the nearest window of the other; clips of
        the track `source` are left out.
        """
        exact = "donot_use_mm_for_euclid_dist"  # 0 between copies
        between = torch.cdist(clip.double() / self.spread, self.windows, compute_mode=exact)
        nothing = torch.full((len(clip), len(self.sources)), float("inf")).double()
        owners = self.owners.expand(len(clip), -1)
        distances = nothing.scatter_reduce(1, owners, between, "amin").mean(0)  # [k]
        if source:
            distances[[track == source for track in self.sources]] = float("inf")
        found = int(distances.argmin())
        return float(distances[found]), found


class NearestTrainingClip(mk.SetMetric):
    """Distance from the nearest training clip, over that of real music: 1 as far, 0 a copy.

    The medians of clips, and of held-out ones (without any, of training clips to other tracks). The
    note names the nearest pairs, to be listened to. Far above 1 is no merit: noise is far from all
    music.
    """

    name = "nearest-training-clip"
    unit: ClassVar[str] = ""
    better: ClassVar[Literal["lower", "higher"]] = "higher"

    class Options(mk.Options):
        """Options of `metric: nearest-training-clip`."""

        embedding: mk.Use[mk.Embedding] = mk.default("mel-statistics")

    def __init__(self, options: Options, *, sample_rate: int) -> None:
        self.embedding = options.embedding.build(sample_rate=sample_rate).eval()

    @property
    def embeddings(self) -> Sequence[mk.Embedding]:
        """Return the embedding."""
        return (self.embedding,)

    def score(self, generated: mk.ClipSet, reference: mk.RealClips) -> mk.SetScore:
        """Return the ratio; beside it the part of clips that are nearer than real music is."""
        check_generated(self, generated, least=1)
        check_count(self, reference.train, "training", "give more music, or raise `evaluate.real`")
        learned = reference.train.vectors(self.embedding)
        training = TrainingClips.collect(reference.train, learned)
        real = torch.tensor(self._real_distances(reference.validation, training, learned))
        usual = float(real.median())
        if not usual:
            told = "the real clips to compare with are training clips themselves; take duplicates"
            raise mk.RequestError.about(self.name, f"{told} out of the data")
        made = [training.nearest(clip) for clip in generated.vectors(self.embedding)]
        distances = torch.tensor([distance for distance, _ in made])
        near = float((distances < real.quantile(UNLIKELY)).double().mean())
        names = [name_clip(clip) for clip in generated.clips]
        nearest = sorted((distance / usual, at, other) for at, (distance, other) in enumerate(made))
        told = ", ".join(
            f"{names[at]} and {training.names[other]} ({far:.2f})"
            for far, at, other in nearest[:TOLD]
        )
        note = f"{format_count(len(made), 'clip')}, {format_count(len(learned), 'training clip')}, "
        note += f"{format_count(len(real), 'real distance')}; nearest: {told}"
        return mk.SetScore(float(distances.median()) / usual, {NEAR: 100 * near}, note)

    def _real_distances(
        self, held_out: mk.ClipSet, training: TrainingClips, learned: Sequence[Tensor]
    ) -> list[float]:
        """Return how far real clips are from the nearest training clip."""
        found = [training.nearest(clip)[0] for clip in held_out.vectors(self.embedding)]
        if not found:
            pairs = zip(learned, training.sources, strict=True)
            found = [training.nearest(clip, source=source)[0] for clip, source in pairs]
            found = [distance for distance in found if distance < float("inf")]
        if not found:
            told = "needs held-out clips, or training clips of two tracks; give more music"
            raise mk.RequestError.about(self.name, told)
        return found


def name_clip(clip: mk.Clip) -> str:
    """Return what a clip is called: its file and where in it, or its prompt."""
    name = PurePath(clip.source).name or clip.text
    return f"'{name}'" if clip.start is None else f"'{name}' at {clip.start:.1f} s"
