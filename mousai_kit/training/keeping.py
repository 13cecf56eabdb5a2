"""Keeping: the checkpoints of a stage; the last few, each whole, the newest good one to go on from.

A checkpoint is copied in memory, which training waits for, and written while it goes on. Only when
it is on the disk under its name, and was read back, older ones are removed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from torch import Tensor

from mousai_kit import checkpoints, durable
from mousai_kit.errors import Problem, TrainingError, WeightsError
from mousai_kit.training.writing import Writer

FAILURES = 5
"""Checkpoints in a row that can't be written before training stops."""
GIB = 2**30

Take = Callable[[dict[str, Tensor], dict[str, Any], str], None]
"""Goes on from a checkpoint's tensors, header and name; WeightsError where they don't fit."""


class Keeping:
    """The checkpoints in a folder, of which the last `keep` are kept."""

    def __init__(self, folder: Path, *, keep: int) -> None:
        self.folder, self.keep = folder, keep
        self.saved: int | None = None
        """The step that was last handed in to be saved, or gone on from."""
        self._writer, self._failures = Writer(), 0

    def begin(self, size: int, beside: int) -> None:
        """Remove what is half written; TrainingError where the disk is too small for the training.

        `size` is of a checkpoint and `beside` of other files to come, in bytes.
        """
        self.folder.mkdir(exist_ok=True)
        durable.sweep(self.folder)
        durable.sweep(self.folder.parent)
        files = [*self.folder.glob("*.safetensors"), *self.folder.parent.glob("*.safetensors")]
        there = sum(it.stat().st_size for it in files)
        needed = (self.keep + 1) * size + beside - there
        free = shutil.disk_usage(self.folder.parent).free
        if needed > free:
            what = (
                f"{self.keep + 1} checkpoints of {size / GIB:.2g} GiB, and the weights, need "
                f"{needed / GIB:.2g} GiB more on the disk and {free / GIB:.2g} GiB are free; free "
                "some, lower `keep`, or name another folder with --out"
            )
            raise TrainingError(Problem(str(self.folder.parent), "", what))

    def save(
        self,
        step: int,
        tensors: Mapping[str, Tensor],
        header: Mapping[str, Any],
        *,
        after: Callable[[], None],
    ) -> None:
        """Copy the checkpoint of a step, and begin to write it as soon as `after` has returned."""
        self.wait()
        copy, self.saved = checkpoints.snapshot(tensors), step

        def write() -> None:
            self._failures += 1
            after()
            self._write(step, copy, header)
            self._failures = 0

        self._writer.begin(write)

    def trouble(self) -> str:
        """Return, once, what kept the last checkpoint from being written; empty if nothing did.

        TrainingError where that has happened too often in a row.
        """
        if (failure := self._writer.failure()) is None:
            return ""
        if self._failures >= FAILURES:
            raise TrainingError(f"{failure}; that was so {FAILURES} times in a row")
        newest = self.newest()
        last = f"the last checkpoint is {newest}" if newest else "there is no checkpoint yet"
        return f"{failure}; training goes on, and {last}"

    def wait(self) -> None:
        """Wait until nothing is being written."""
        self._writer.wait()

    def settle(self) -> None:
        """Wait until the last checkpoint is on the disk; WeightsError where it can't be."""
        self.wait()
        if failure := self._writer.failure():
            raise failure

    def newest(self) -> Path | None:
        """Return the newest checkpoint that is on the disk, once none is being written."""
        self.wait()
        return next(iter(checkpoints.kept(self.folder)), None)

    def restore(self, take: Take) -> list[str]:
        """Go on from the newest good checkpoint; return a line on each newer one, now set aside.

        WeightsError, and all left as it is, where none is good.
        """
        broken: list[tuple[Path, str]] = []
        for path in checkpoints.kept(self.folder):
            try:
                tensors, header = checkpoints.read(path)
                take(tensors, header, str(path))
            except WeightsError as error:
                broken.append((path, error.problems[0].message.partition("; ")[0]))
                continue
            self.saved = header["step"]
            return [_set_aside(*it) for it in broken]
        raise _none_good(self.folder, broken)

    def _write(self, step: int, copy: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
        """Write a checkpoint, then remove those before the last few."""
        checkpoints.write_snapshot(checkpoints.at_step(self.folder, step), copy, header)
        for old in checkpoints.kept(self.folder)[self.keep :]:
            with suppress(OSError):
                old.unlink()


def _set_aside(path: Path, why: str) -> str:
    """Rename a checkpoint that can't be gone on from; return what to say of it."""
    aside = path.with_name(f"{path.name}.broken")
    path.replace(aside)
    return f"{path}: {why}; it is kept as {aside.name}, and the one before is used"


def _none_good(folder: Path, broken: list[tuple[Path, str]]) -> WeightsError:
    """Return what to say where no checkpoint can be gone on from: why, and how to begin anew."""
    told = [Problem(str(path), "", why) for path, why in broken]
    what = f"no checkpoint can be used; move {folder.parent} away and `run` again to begin anew"
    return WeightsError(*told, Problem(str(folder), "", what))
