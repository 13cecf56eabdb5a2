"""Encoded: a stage's latents, made before it trains, and what they come to."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from mousai_kit.core.console import Screen
from mousai_kit.core.errors import RequestError, TrainingError, argument_error, suggest
from mousai_kit.core.interfaces import Split
from mousai_kit.data.latent_cache import LatentCacheBuilder, check_room_for, ensure_latents
from mousai_kit.data.stage_data import StageData
from mousai_kit.recipe import Recipe
from mousai_kit.runs.run import Run
from mousai_kit.runs.run_folder import RunFolder


@dataclass(frozen=True, slots=True)
class EncodeResult:
    """The latents of one split."""

    stage: str
    split: str
    folder: str
    clips: int
    """Clips that could be encoded."""
    left_out: int
    crops: int
    """Crops in all passes; each has a latent."""
    made: int
    """Crops encoded now; the others were there."""
    gigabytes: float
    """Size of these crops on the disk."""
    further: float
    """Gigabytes of passes beyond those asked for, made before and kept beside."""
    seconds: float

    def __str__(self) -> str:
        left_out = f", {self.left_out} left out" if self.left_out else ""
        further = f"; {_size(self.further)} of further passes are kept" if self.further else ""
        return (
            f"{self.stage}, {self.split}: {self.crops:,} crops of {self.clips:,} clips{left_out}, "
            f"{_size(self.gigabytes)} in {self.folder}; "
            f"{self.made:,} encoded now in {self.seconds:.0f} s{further}"
        )


def precompute_latents(
    recipe: Recipe, folder: RunFolder, *, stage: str | None, screen: Screen
) -> list[EncodeResult]:
    """Make the latents that a stage learns from (None: the second), of each split; verify them.

    What is there already and made of the same is used. An error where a stage below is not trained
    or another recipe's, where the disk would not hold all, or where latents are not what the music
    gives.
    """
    name = _stage(recipe, stage)
    below = list(recipe.stages)[: list(recipe.stages).index(name)]
    folder.check_trained(recipe, below)
    with folder.lock():
        system = Run(recipe, folder, screen).load(below)
        header = folder.provenance(recipe, name)
        splits = get_args(Split)
        data = StageData.of(system)
        found = [data.latents_of(name, header, split, system.ranks) for split in splits]
        encodings = [encoding for encoding in found if encoding is not None]
        check_room_for(*encodings)
        return [_result(system, encoding) for encoding in encodings]


def _stage(recipe: Recipe, asked: str | None) -> str:
    """Return the stage that learns from latents; RequestError where it is none."""
    lowest, *higher = recipe.stages
    if asked is None and not higher:
        raise RequestError(
            f"the recipe's only stage, '{lowest}', learns from audio; there is nothing to encode"
        )
    if asked == lowest:
        raise argument_error("stage", f"'{lowest}' learns from audio, not from latents")
    if asked is not None and asked not in higher:
        raise argument_error("stage", f"the recipe has no stage '{asked}'{suggest(asked, higher)}")
    return asked or higher[0]


def _result(system: Run, encoding: LatentCacheBuilder) -> EncodeResult:
    started = time.monotonic()
    kept = ensure_latents(
        encoding, system.screen, StageData.of(system).report_skipped, system.ranks
    )
    if kept is None and encoding.split == "train":
        raise TrainingError(f"none of the music can be decoded; see {system.folder.skipped_list}")
    clips = len(kept) if kept else 0
    asked = {encoding.path(number) for number in range(encoding.layout.shards)}
    there = set(encoding.folder.glob("*.safetensors"))
    return EncodeResult(
        encoding.name,
        encoding.split,
        str(encoding.folder),
        clips,
        encoding.layout.clips - clips,
        clips * encoding.layout.passes,
        encoding.made,
        _gigabytes(asked & there),
        _gigabytes(there - asked),
        round(time.monotonic() - started, 1),
    )


def _size(gigabytes: float) -> str:
    return f"{gigabytes:.3g} GB" if gigabytes >= 0.1 else f"{1000 * gigabytes:.2g} MB"


def _gigabytes(files: Collection[Path]) -> float:
    return sum(file.stat().st_size for file in files) / 1e9
