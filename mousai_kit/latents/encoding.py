"""Encoding: the latents that a stage learns from, made shard by shard, in any order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mousai_kit.cascade import Cascade
from mousai_kit.data import Clips
from mousai_kit.errors import Problem
from mousai_kit.interfaces import Clip
from mousai_kit.latents import shard
from mousai_kit.latents.crops import decoded
from mousai_kit.latents.index import Index
from mousai_kit.latents.layout import Layout, Place
from mousai_kit.latents.origin import difference, made_of, made_of_today
from mousai_kit.latents.reading import LatentClips
from mousai_kit.recipe import fingerprint

FLOAT_BYTES = 4


class Encoding:
    """The latents of one split that stage `name` learns from, in a folder.

    Every shard can be made by itself, by any process: those that are `missing` are shared out,
    each is `encode`d by one process, and when all are there one process calls `finish`.
    """

    def __init__(
        self,
        cascade: Cascade,
        header: Mapping[str, Any],
        clips: Clips,
        *,
        split: str,
        passes: int,
        folder: Path,
        workers: int,
    ) -> None:
        self.cascade, self.header, self.clips, self.split = cascade, header, clips, split
        self.name, self.folder, self.workers = header["stage"], folder, workers
        below = cascade.below(self.name)
        length = header["key"]["stages"][self.name]["train"]["length"]
        crop_bytes = FLOAT_BYTES * below.channels * below.frames(length)
        self.layout = Layout.of(len(clips), passes, crop_bytes=crop_bytes)
        self.shard_bytes = crop_bytes * self.layout.per_shard
        self.origin = made_of(header, split, self.layout)
        self.device = next(cascade.stages[self.name].parameters()).device
        kept = Index.read(folder)
        self.changed = difference(_origin_of(kept), self.origin) if kept else ""
        """Why the latents that are kept can't be used, in a few words; empty where they can."""
        self.made_of = fingerprint(self.origin)
        if kept is not None and not self.changed:  # perhaps in words of an earlier version
            self.made_of, self.header = kept.made_of, kept.header
        self.made = 0
        """Crops that were encoded and written."""

    def path(self, number: int) -> Path:
        """Return the file of a shard."""
        return self.folder / shard.file_name(number)

    def missing(self, tick: Callable[[int], None], say: Callable[[str], None]) -> list[int]:
        """Return the shards that are to be made; `tick(groups)` for each that is there, and whole.

        All that is kept is read. A shard that is damaged is told, and is to be made anew.
        """
        numbers = []
        for number in range(self.layout.shards):
            path = self.path(number)
            found = shard.header(path)
            if found is not None and found.made_of != self.made_of:
                numbers.append(number)
            elif found is not None and shard.is_whole(path, found):
                tick(self.layout.groups_in(number))
            else:
                numbers.append(number)
                if path.exists():
                    say(f"{path}: is damaged; it is encoded anew")
        return numbers

    def needed_bytes(self, numbers: Sequence[int]) -> int:
        """Return about how much the disk has to have free for some shards."""
        there = sum(it.stat().st_size for it in map(self.path, numbers) if it.exists())
        crops = sum(len(self.layout.clips_of(number)) for number in numbers)
        return max(0, crops * self.shard_bytes // self.layout.per_shard - there)

    def encode(self, numbers: Sequence[int], tick: Callable[[int], None]) -> None:
        """Make some shards; each is written when it is complete. `tick(1)` after each group."""
        if not numbers:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.changed:
            Index.remove(self.folder)
        places = (place for it in numbers for group in self.layout.groups_of(it) for place in group)
        crops = decoded(self.clips, places, workers=self.workers)
        with closing(crops):
            for number in numbers:
                self._encode(number, crops, tick)

    def _encode(
        self, number: int, crops: Iterator[Clip | str], tick: Callable[[int], None]
    ) -> None:
        """Make one shard of the next crops."""
        made = []
        for group in self.layout.groups_of(number):
            made += self.encoded(group, islice(crops, len(group)))
            tick(1)
        shard.write(self.path(number), made, made_of=self.made_of)
        self.made += len(made)

    def encoded(
        self, group: Sequence[Place], crops: Iterator[Clip | str]
    ) -> list[tuple[int, Clip | str]]:
        """Return a group's clips of latents, each with its number; a text says why one is none."""
        drawn = list(crops)
        there = [crop for crop in drawn if isinstance(crop, Clip)]
        if not there:
            return [(number, crop) for (number, _), crop in zip(group, drawn, strict=True)]
        wave = torch.stack([crop.wave for crop in there]).to(self.device)
        latents = iter(self.cascade.encode(wave, up_to=self.name).float().cpu())
        return [
            (number, _latent(crop, next(latents)) if isinstance(crop, Clip) else crop)
            for (number, _), crop in zip(group, drawn, strict=True)
        ]

    def finish(self, report: Callable[[str], None]) -> LatentClips | None:
        """Write the index, when all shards are there; None where no clip could be encoded.

        Clips without a first crop are left out, and reported.
        """
        found = [self._whole_header(number) for number in range(self.layout.shards)]
        first = [it.faults for number, it in enumerate(found) if not self.layout.epoch(number)]
        faults = {int(clip): line for part in first for clip, line in part.items()}
        for line in faults.values():
            report(line)
        if len(faults) == self.layout.clips:
            self._remove()  # nothing of use: the music may be there the next time
            return None
        index = Index(
            self.made_of,
            self.header,
            self.split,
            self.layout,
            list(faults),
            [{"digest": it.digest, "crops": it.crops} for it in found],
        )
        index.write(self.folder)
        self._remove(but=self.made_of)
        return LatentClips(self.folder, index)

    def _whole_header(self, number: int) -> shard.ShardHeader:
        found = shard.header(self.path(number))
        assert found is not None, f"shard {number} is missing"
        assert found.made_of == self.made_of, f"shard {number} is another's"
        return found

    def _remove(self, *, but: str = "") -> None:
        """Remove shards but those that are made of the same: more passes of these are kept."""
        for path in self.folder.glob("[0-9]*.safetensors"):
            found = shard.header(path)
            if found is None or found.made_of != but:
                path.unlink()


def _origin_of(index: Index) -> Mapping[str, Any]:
    """Return what the latents of an index are made of, in the names and defaults of today."""
    return made_of_today(index.header, index.split, index.layout)


def _latent(crop: Clip, latents: Tensor) -> Clip | str:
    """Return a crop's latents with its caption, or what is wrong with them."""
    if latents.isfinite().all():
        return Clip(latents, crop.text, crop.source)
    told = "its latents are not finite (NaN or infinity); look at the file, or at the autoencoder"
    return str(Problem(crop.source, "", told))
