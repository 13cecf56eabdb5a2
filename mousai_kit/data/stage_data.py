"""Stage data: what each stage of a system learns from: audio, or latents of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from mousai_kit.core.errors import AudioError, TrainingError, WeightsError
from mousai_kit.core.interfaces import Dataset, Split
from mousai_kit.data.datasets import (
    ClipSource,
    dataset,
    evenly_spread,
    iter_decodable,
    readable,
    training_clips,
)
from mousai_kit.data.latent_cache import LatentCacheBuilder, ensure_latents
from mousai_kit.data.latent_shards import LatentDataset
from mousai_kit.data.track_stats import measure
from mousai_kit.distributed import Communicator
from mousai_kit.runs.run import Run
from mousai_kit.runs.vocabulary import cut_captions_told, encoder_in

PREPARED_CLIPS = 128
"""Clips that statistics are measured on, at most."""
VALIDATED_CLIPS = 64
"""Held-out clips that the lowest stage is validated on, at most."""
MEASURED_CLIPS = 1024
"""Clips to be learned from next whose tracks are measured before, at most: the processes that read
clips measure the others as they come to them."""


class StageData:
    """The music of a recipe, as the stages of its cascade learn it; what is left out is listed."""

    _known: ClassVar[WeakKeyDictionary[Run, StageData]] = WeakKeyDictionary()

    def __init__(self, run: Run, *, whole: StageData | None = None) -> None:
        """`whole` are the data of the run of which this is a part: nothing is said twice."""
        self.recipe, self.folder, self.cascade = run.recipe, run.folder, run.cascade
        self.screen, self.main = run.screen, run.ranks.main
        self.skipped_files: dict[str, None] = {} if whole is None else whole.skipped_files
        self.noted: set[str] = set() if whole is None else whole.noted
        self._texts: dict[str, list[str]] = {}
        self._latents: dict[tuple[str, ...], ClipSource | None] = {}

    @classmethod
    def of(cls, run: Run) -> StageData:
        """Return the data of a system: the same for all that ask, so that it is read once."""
        if run not in cls._known:
            cls._known[run] = cls(run)
        return cls._known[run]

    def clips(
        self, name: str, header: dict[str, Any], split: Split, ranks: Communicator | None = None
    ) -> ClipSource | None:
        """Return what stage `name` learns from: audio, or for a higher stage latents of it.

        Of `ranks`, where all of them ask, each encodes its share.
        """
        ranks = ranks or Communicator()
        if name != next(iter(self.cascade.stages)):
            asked = (name, split, *header["below"])
            if asked not in self._latents:  # once is enough to read and verify gigabytes
                encoding = self.latents_of(name, header, split, ranks)
                self._latents[asked] = (
                    ensure_latents(encoding, self.screen, self.report_skipped, ranks)
                    if encoding
                    else None
                )
            return self._latents[asked]
        if (found := self._music(name, split, ranks)) is None or split == "train":
            return found
        self._measure(name, found, range(VALIDATED_CLIPS), ranks)
        with self.screen.bar(
            "reading held-out clips", min(len(found), VALIDATED_CLIPS), stays=False
        ) as bar:
            return readable(found, self.report_skipped, at_most=VALIDATED_CLIPS, tick=bar.advance)

    def latents_of(
        self, name: str, header: dict[str, Any], split: Split, ranks: Communicator
    ) -> LatentCacheBuilder | None:
        """Return the latents that a higher stage learns from, not made yet; None without music."""
        if (found := self._music(name, split, ranks)) is None:
            return None
        settings = self.recipe.stages[name].train
        return LatentCacheBuilder(
            self.cascade,
            header,
            found,
            split=split,
            passes=settings.passes,
            folder=self.folder.stage(name).latents(split),
            workers=settings.workers,
        )

    def fit_statistics(self, name: str, clips: ClipSource, ranks: Communicator) -> None:
        """Let a stage measure what it must know of its clips."""
        stage = self.cascade.stages[name]
        device = next(stage.parameters()).device
        indices = evenly_spread(len(clips), PREPARED_CLIPS)
        self._measure(name, clips, indices, ranks)
        captions = self.captions(name, clips)
        label = f"preparing {name} (statistics, vocabulary)"
        with self.screen.bar(label, len(indices), stays=False) as bar:
            stage.fit_statistics(self._signals(clips, indices, device, bar.advance), captions)

    def tell_cut_captions(self, name: str, clips: ClipSource) -> None:
        """Say how many captions a stage, with all it has learned before, does not read whole."""
        if encoder_in(self.cascade.stages[name]):
            captions = self.captions(name, clips)
            with self.screen.busy(f"measuring captions for {name}"):
                lines = list(cut_captions_told(self.cascade.stages[name], captions))
            for line in lines:
                self.screen.print(f"{name}: {line}")
        self._texts.clear()

    def captions(self, name: str, clips: ClipSource) -> list[str]:
        """Return the captions that a stage learns from, read once until its training begins."""
        assert isinstance(clips, LatentDataset | Dataset)
        if name not in self._texts:
            with self.screen.busy(f"reading captions for {name}"):
                try:
                    self._texts[name] = list(clips.captions())
                except AudioError:
                    good = iter_decodable(clips, range(len(clips)), lambda _: None)
                    self._texts[name] = [clip.text for _, clip in good]
        return self._texts[name]

    def foresee(
        self, name: str, clips: ClipSource, upcoming: Iterable[int], ranks: Communicator
    ) -> None:
        """Measure the tracks that a stage learns from next, as far as that is needed."""
        self._measure(name, clips, islice(upcoming, MEASURED_CLIPS), ranks)

    def report_skipped(self, *lines: str) -> None:
        """List music that was left out, once each, on the screen and in skipped.txt."""
        for line in lines:
            if line not in self.skipped_files:
                self.skipped_files[line] = None
                self.screen.print(f"skipped: {line}")
                if not self.main:
                    continue
                text = "\n".join(self.skipped_files) + "\n"
                with suppress(WeightsError):  # a full disk, say; the next line brings them all
                    self.folder.write(self.folder.skipped_list.name, text)

    def report_notes(self, *lines: str) -> None:
        """Say what is to be known of music that is not left out, once each."""
        for line in lines:
            if line not in self.noted:
                self.noted.add(line)
                self.screen.print(f"note: {line}")

    def _music(self, name: str, split: Split, ranks: Communicator) -> Dataset | None:
        """Return the clips that a stage learns from, as audio; None where there are none."""
        length = self.recipe.stages[name].train.length
        with self.screen.busy("opening the music"):
            if split == "validation":
                found = dataset(self.recipe, length=length, split=split)
            else:
                found = ranks.in_turn(partial(training_clips, self.recipe, length=length))
                self.report_skipped(*found.skipped_files())
                self.report_notes(*found.remarks())
        return found if len(found) else None

    def _measure(
        self, name: str, clips: ClipSource, indices: Iterable[int], ranks: Communicator
    ) -> None:
        """Measure the tracks of some clips, as far as there are so many; one process does it."""
        there = [index for index in indices if index < len(clips)]
        workers, screen = self.recipe.stages[name].train.workers, self.screen
        ranks.in_turn(partial(measure, clips, there, workers=workers, screen=screen))

    def _signals(
        self,
        clips: ClipSource,
        indices: Sequence[int],
        device: torch.device,
        tick: Callable[[], None],
    ) -> Iterator[Tensor]:
        """Yield some clips' signals [1, c, t]; TrainingError where none can be decoded."""
        clip = None
        for _, clip in iter_decodable(clips, indices, self.report_skipped, tick):
            yield clip.wave[None].to(device)
        if clip is None:
            raise TrainingError(f"none of the music can be decoded; see {self.folder.skipped_list}")
