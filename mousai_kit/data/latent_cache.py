"""Encoding: the latents that a stage learns from, made shard by shard, in any order.

Crops: decoded in the order in which they are asked for, by workers, while others are encoded.

Key: what latents are made of, after which their folder is named.

Verifying: whether latents that are kept are what the music and the weights give now.

Keeping: latents that are there are used, those that are missing are made, all are verified; what
was made of anything else is removed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mousai_kit.core.console import Screen
from mousai_kit.core.errors import AudioError, Problem, TrainingError
from mousai_kit.core.interfaces import Clip, ExtrasExtractor, Stage
from mousai_kit.data import latent_shards
from mousai_kit.data.datasets import ClipSource, with_extras
from mousai_kit.data.latent_shards import CropKey, LatentDataset, ShardLayout
from mousai_kit.data.loader import in_order
from mousai_kit.data.track_stats import measure
from mousai_kit.distributed import Communicator
from mousai_kit.models.cascade import Cascade
from mousai_kit.models.memory import FLOAT_BYTES, check_disk_space
from mousai_kit.recipe import fingerprint


def crop(clips: ClipSource, extract: ExtrasExtractor | None, place: CropKey) -> Clip | str:
    """Return the crop at a place with its extras, or one line that says why there is none."""
    try:
        return with_extras(clips.clip(*place), extract)
    except AudioError as error:
        return str(error)


def cache_key(
    header: Mapping[str, Any], split: str, layout: ShardLayout, stage: Stage
) -> dict[str, Any]:
    """Return all that decides the latents that a stage learns from, but the number of passes.

    `header` is what the files of the stage say of where they come from. How the stage itself is
    built and trained does not decide them, but for what it is told besides text: those that were
    made serve again.
    """
    key = header["key"]
    stages = dict(key["stages"])
    own = stages.pop(header["stage"])
    return {
        "audio": key["audio"],
        "data": key["data"],
        "stages": {name: values["model"] for name, values in stages.items()},
        "weights": dict(zip(stages, header["below"], strict=True)),
        "length": own["train"]["length"],
        "split": split,
        "clips": layout.clips,
        "per shard": layout.per_shard,
        **({} if stage.extras_extractor is None else {"extras": dict(stage.extras_key)}),
    }


class LatentCacheBuilder:
    """The latents of one split that stage `name` learns from, in a folder named by their key.

    Every shard can be made by itself, by any process: those that are `missing` are shared out, and
    each is `encode`d by one process.
    """

    def __init__(
        self,
        cascade: Cascade,
        header: Mapping[str, Any],
        clips: ClipSource,
        *,
        split: str,
        passes: int,
        folder: Path,
        workers: int,
    ) -> None:
        self.cascade, self.clips, self.split = cascade, clips, split
        self.name, self.root, self.workers = header["stage"], folder, workers
        below = cascade.input_space(self.name)
        length = header["key"]["stages"][self.name]["train"]["length"]
        self.crop_bytes = FLOAT_BYTES * below.channels * below.frames(length)
        self.layout = ShardLayout.of(len(clips), passes, crop_bytes=self.crop_bytes)
        self.device = next(cascade.stages[self.name].parameters()).device
        stage = cascade.stages[self.name]
        self.extract = stage.extras_extractor
        self.key = fingerprint(cache_key(header, split, self.layout, stage))
        self.folder = folder / self.key
        self.made = 0
        """Crops that were encoded and written."""

    def path(self, number: int) -> Path:
        """Return the file of a shard."""
        return self.folder / latent_shards.shard_file_name(number)

    def remove_others(self) -> bool:
        """Remove what was made of anything else; return whether there were such latents.

        Shards of the same that earlier versions kept beside the folder are taken into it.
        """
        for path in self.root.glob("*.safetensors"):
            if (head := latent_shards.shard_header(path)) is not None and head.made_of == self.key:
                self.folder.mkdir(exist_ok=True)
                path.rename(self.folder / path.name)
        found = any(item.parent != self.folder for item in self.root.rglob("*.safetensors"))
        others = [item for item in self.root.glob("*") if item != self.folder]
        for path in others:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        return found

    def missing(self, tick: Callable[[int], None], say: Callable[[str], None]) -> list[int]:
        """Return the shards that are to be made; `tick(groups)` for each that is there, and whole.

        All that is kept is read. A shard that is damaged is told, and is to be made anew.
        """
        numbers = []
        for number in range(self.layout.shards):
            path = self.path(number)
            found = latent_shards.shard_header(path)
            if found is not None and latent_shards.is_whole(path, found):
                tick(self.layout.groups_in(number))
            else:
                numbers.append(number)
                if path.exists():
                    say(f"{path}: is damaged; it is encoded anew")
        return numbers

    def needed_bytes(self) -> int:
        """Return about how much the disk has to have free, once others' latents are removed."""
        own = set(map(self.path, range(self.layout.shards)))
        there = self.root.rglob("*.safetensors")
        kept = sum(
            path.stat().st_size for path in there if path in own or path.parent != self.folder
        )
        return max(0, self.layout.passes * self.layout.clips * self.crop_bytes - kept)

    def encode(self, numbers: Sequence[int], tick: Callable[[int], None]) -> None:
        """Make some shards; each is written when it is complete. `tick(1)` after each group."""
        if not numbers:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        places = (
            place for item in numbers for group in self.layout.groups_of(item) for place in group
        )
        crops = in_order(partial(crop, self.clips, self.extract), places, workers=self.workers)
        with closing(crops):
            for number in numbers:
                self._encode(number, crops, tick)

    def _encode(
        self, number: int, crops: Iterator[Clip | str], tick: Callable[[int], None]
    ) -> None:
        """Make one shard of the next crops."""
        made = []
        for group in self.layout.groups_of(number):
            made += self.encode_group(group, islice(crops, len(group)))
            tick(1)
        latent_shards.write_shard(self.path(number), made, made_of=self.key)
        self.made += len(made)

    def encode_group(
        self, group: Sequence[CropKey], crops: Iterator[Clip | str]
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

    def faults(self) -> dict[str, str]:
        """Return why a clip (its number in the dataset, as text) could not be encoded.

        All shards must be there. What counts is a clip's first crop.
        """
        first_pass = range(self.layout.shards // self.layout.passes)
        headers = map(latent_shards.shard_header, map(self.path, first_pass))
        return {clip: line for header in headers if header for clip, line in header.faults.items()}

    def dataset(self, left_out: Iterable[str]) -> LatentDataset:
        """Return the latents, without the clips that are left out."""
        return LatentDataset(self.folder, self.layout, list(map(int, left_out)))


def _latent(crop: Clip, latents: Tensor) -> Clip | str:
    """Return a crop's latents with its caption, or what is wrong with them."""
    if latents.isfinite().all():
        return Clip(latents, crop.text, crop.source, extras=crop.extras)
    told = "its latents are not finite (NaN or infinity); look at the file, or at the autoencoder"
    return str(Problem(crop.source, "", told))


GROUPS = 3
"""Groups that are encoded once more: the first one, the last one, and one in the middle."""
BOUND = 1e-3
"""Largest difference, as a share of the crop's largest latent, that another machine may make.

On the same machine, with the same number of threads, there is none.
"""

FEW = 0.02
"""Share of the values of a clip's extras that may differ more."""


def verify(encoding: LatentCacheBuilder, kept: LatentDataset) -> float:
    """Encode a few crops once more and return the largest difference from those that are kept.

    TrainingError where one differs: its file changed under the same name. What can't be decoded
    any more is passed over.
    """
    return max(_compare(encoding, kept, group) for group in _sample_groups(encoding))


def _sample_groups(encoding: LatentCacheBuilder) -> list[Sequence[CropKey]]:
    """Return `GROUPS` groups, or fewer, from the first to the last."""
    layout = encoding.layout
    shards = {number * (layout.shards - 1) // (GROUPS - 1) for number in range(GROUPS)}
    groups = [list(layout.groups_of(number)) for number in sorted(shards)]
    if len(groups) > 1:
        return [groups[0][0], *(group[len(group) // 2] for group in groups[1:-1]), groups[-1][-1]]
    (only,) = groups
    return [only[place] for place in sorted({0, len(only) // 2, len(only) - 1})]


def _compare(encoding: LatentCacheBuilder, kept: LatentDataset, group: Sequence[CropKey]) -> float:
    """Return how much crops of a group differ from what is kept; 0.0 where none is there."""
    read = partial(crop, encoding.clips, encoding.extract)
    made = encoding.encode_group(group, map(read, group))
    largest = 0.0
    for (_, now), before in zip(made, map(kept.cached_clip, group), strict=True):
        if before is None or isinstance(now, str):
            continue
        difference = _difference(now.wave, before.wave)
        if what := _find_change(now, before):
            told = (
                f"the {what} of {before.source} is not what is kept: the music changed since, or "
                "how it is read; delete this folder to have all encoded anew"
            )
            raise TrainingError.about(encoding.root, told)
        largest = max(largest, difference)
    return largest


def _difference(now: Tensor, before: Tensor) -> float:
    if now.shape != before.shape:
        return float("inf")
    scale = before.abs().max().clamp_min(1e-12)
    return float((now - before).abs().max() / scale)


def _find_change(now: Clip, before: Clip) -> str:
    """Return what of a crop is not what is kept; empty where all is."""
    if _difference(now.wave, before.wave) > BOUND:
        return "sound"
    if now.text != before.text:
        return "caption"
    names = dict.fromkeys([*now.extras, *before.extras])
    return next((name for name in names if _differs(name, now.extras, before.extras)), "")


def _differs(name: str, now: Mapping[str, Tensor], before: Mapping[str, Tensor]) -> bool:
    """Return whether extras of a name differ in more than a few values.

    Where a melody, say, has one of several notes, rounding may choose another.
    """
    if not (name in now and name in before) or now[name].shape != before[name].shape:
        return True
    scale = before[name].abs().max().clamp_min(1e-12)
    return bool(((now[name] - before[name]).abs() > BOUND * scale).double().mean() > FEW)


def ensure_latents(
    encoding: LatentCacheBuilder,
    screen: Screen,
    report: Callable[[str], None],
    ranks: Communicator | None = None,
) -> LatentDataset | None:
    """Return the latents of an encoding, made where they are not there; None where none can be.

    RequestError, before anything is made, where the disk would not hold them. TrainingError where
    what is there is not what the music gives. `report` is told each clip that is left out.
    Processes that work together share what is missing.
    """
    ranks = ranks or Communicator()
    _encode_missing(encoding, screen, ranks)
    faults = ranks.all_gather(encoding.faults() if ranks.main else {})[0]
    for line in faults.values():
        report(line)
    if len(faults) == encoding.layout.clips:
        if ranks.main:
            shutil.rmtree(encoding.folder)  # the music may be there the next time
        return None
    kept = encoding.dataset(faults)
    if ranks.main:
        verify(encoding, kept)
    return kept


def _encode_missing(encoding: LatentCacheBuilder, screen: Screen, ranks: Communicator) -> None:
    """Make what is not there yet, each process its share; remove what was made of anything else."""
    label = f"latents for {encoding.name} ({encoding.split})"
    check_room_for(encoding)
    ranks.barrier()  # until all have looked at what is there, of which now something may go
    if ranks.main and encoding.remove_others():
        screen.print(f"{label}: what they are made of changed; all is encoded anew")
    with screen.bar(label, encoding.layout.groups) as bar:
        missing = encoding.missing(bar.advance, screen.print) if ranks.main else []
        own = ranks.share(ranks.all_gather(missing)[0])
        clips = chain.from_iterable(map(encoding.layout.clips_of, own))
        measure(encoding.clips, clips, workers=encoding.workers, screen=screen)
        encoding.encode(own, lambda groups: bar.advance(groups * ranks.own.count))
    encoding.made = sum(ranks.all_gather(encoding.made))


def check_room_for(*encodings: LatentCacheBuilder) -> None:
    """Raise RequestError where the disk would not hold what is missing of some encodings."""
    first = encodings[0]
    check_disk_space(
        first.root,
        sum(encoding.needed_bytes() for encoding in encodings),
        f"the latents that '{first.name}' learns from",
        f"lower its `passes` (now {first.layout.passes}), or name another folder for the run",
    )
