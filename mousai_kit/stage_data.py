"""Stage data: what each stage of a system learns from: audio, or latents of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import torch
from torch import Tensor

from mousai_kit import latents
from mousai_kit.cascade import Cascade
from mousai_kit.console import Screen
from mousai_kit.data import Clips, dataset, readable, training_clips
from mousai_kit.errors import AudioError, TrainingError, WeightsError
from mousai_kit.interfaces import Dataset, Split
from mousai_kit.ranks import Ranks
from mousai_kit.recipe import Recipe
from mousai_kit.runs import RunFolder

PREPARED_CLIPS = 128
"""Clips that statistics are measured on, at most."""
VALIDATED_CLIPS = 64
"""Held-out clips that the lowest stage is validated on, at most."""


class StageData:
    """The music of a recipe, as the stages of its cascade learn it; what is left out is listed."""

    def __init__(
        self, recipe: Recipe, folder: RunFolder, cascade: Cascade, screen: Screen, *, main: bool
    ) -> None:
        """`main` is the process that writes the list."""
        self.recipe, self.folder, self.cascade, self.screen = recipe, folder, cascade, screen
        self.main = main
        self._skipped: dict[str, None] = {}
        self._latents: dict[tuple[str, ...], Clips | None] = {}

    def clips(
        self, name: str, header: dict[str, Any], split: Split, ranks: Ranks | None = None
    ) -> Clips | None:
        """Return what stage `name` learns from: audio, or for a higher stage latents of it.

        Of `ranks`, where all of them ask, each encodes its share.
        """
        ranks = ranks or Ranks()
        if name != next(iter(self.cascade.stages)):
            asked = (name, split, *header["below"])
            if asked not in self._latents:  # once is enough to read and verify gigabytes
                encoding = self.latents_of(name, header, split, ranks)
                kept = latents.keep(encoding, self.screen, self.skip, ranks) if encoding else None
                self._latents[asked] = kept
            return self._latents[asked]
        if (found := self._music(name, split, ranks)) is None:
            return None
        return found if split == "train" else readable(found, self.skip, at_most=VALIDATED_CLIPS)

    def latents_of(
        self, name: str, header: dict[str, Any], split: Split, ranks: Ranks
    ) -> latents.Encoding | None:
        """Return the latents that a higher stage learns from, not made yet; None without music."""
        if (found := self._music(name, split, ranks)) is None:
            return None
        settings = self.recipe.stages[name].train
        return latents.Encoding(
            self.cascade,
            header,
            found,
            split=split,
            passes=settings.passes,
            folder=self.folder.stage(name).latents(split),
            workers=settings.workers,
        )

    def prepare(self, name: str, clips: Clips) -> None:
        """Let a stage measure what it must know of its clips."""
        stage = self.cascade.stages[name]
        device = next(stage.parameters()).device
        stage.prepare(self._signals(clips, device), _captions(clips))

    def skip(self, *lines: str) -> None:
        """List music that was left out, once each, on the screen and in skipped.txt."""
        for line in lines:
            if line not in self._skipped:
                self._skipped[line] = None
                self.screen.say(f"skipped: {line}")
                if not self.main:
                    continue
                with suppress(WeightsError):  # a full disk, say; the next line brings them all
                    self.folder.write(self.folder.skipped.name, "\n".join(self._skipped) + "\n")

    def _music(self, name: str, split: Split, ranks: Ranks) -> Dataset | None:
        """Return the clips that a stage learns from, as audio; None where there are none."""
        length = self.recipe.stages[name].train.length
        if split == "validation":
            found = dataset(self.recipe, length=length, split=split)
        else:
            found = ranks.in_turn(partial(training_clips, self.recipe, length=length))
            self.skip(*found.skipped())
        return found if len(found) else None

    def _signals(self, clips: Clips, device: torch.device) -> Iterator[Tensor]:
        """Yield the first clips' signals [1, c, t]; TrainingError where none can be decoded."""
        count = min(len(clips), PREPARED_CLIPS)
        bad = 0
        for index in range(count):
            try:
                wave = clips.clip(index).wave
            except AudioError as error:
                self.skip(str(error))
                bad += 1
                continue
            yield wave[None].to(device)
        if bad == count:
            raise TrainingError(f"none of the music can be decoded; see {self.folder.skipped}")


def _captions(clips: Clips) -> list[str]:
    """Return the captions that a vocabulary is learned from."""
    if isinstance(clips, latents.LatentClips):
        return list(clips.captions())
    assert isinstance(clips, Dataset)
    try:
        return list(clips.captions())
    except AudioError:
        good = readable(clips, lambda _: None)
        return [good.clip(index).text for index in range(len(good))] if good else []
