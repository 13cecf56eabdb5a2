"""The log of training: a JSON value a line, in the order of the steps."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mousai_kit import checkpoints, durable
from mousai_kit.errors import Problem, TrainingError
from mousai_kit.training.observing import Observer
from mousai_kit.training.step import Taken

if TYPE_CHECKING:
    from mousai_kit.training.loop import Training


class Log(Observer):
    """A file `log.jsonl`. Steps that are taken again replace their lines.

    Where the disk is full the lines wait in memory, and no checkpoint is written before they are.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._waiting: list[str] = []
        self._refused = False

    def begun(self, training: Training) -> None:
        """Forget what is said of later steps, and a last line that was cut short."""
        if not self.path.exists():
            return
        with self._told():
            text = self.path.read_text(encoding="utf-8", errors="replace")
        lines = text.splitlines(keepends=True)
        kept = [line for line in lines if _step(line) <= training.step]
        if kept != lines:
            checkpoints.write_bytes(self.path, "".join(kept).encode())

    def sync(self) -> None:
        """Wait until all that was logged is on the disk; TrainingError where that can't be."""
        try:
            if self._refused:
                raise OSError(errno.ENOSPC, "there was no room for all of it")
            if self.path.exists():
                with self.path.open("ab") as file:
                    durable.sync(file)
        except OSError as error:
            what = f"can't be written ({error.strerror}), and without it no checkpoint"
            raise TrainingError(Problem(str(self.path), "", what)) from None

    def stepped(self, training: Training, taken: Taken) -> None:
        """Write a step's loss, gradient norm and learning rate."""
        found = {"loss": taken.loss, "gradient_norm": taken.gradient_norm}
        self._add(training, {**found, "learning_rate": training.rate})

    def validated(self, training: Training, losses: dict[str, float]) -> None:
        """Write a validation's losses."""
        self._add(training, {"validation": losses})

    def warned(self, training: Training, warning: str) -> None:
        """Write a warning."""
        self._add(training, {"warning": warning})

    def _add(self, training: Training, values: dict[str, Any]) -> None:
        """Write a line, or let it wait, and say so, where the disk refuses."""
        told = {"step": training.step, "seconds": round(training.seconds, 2), **values}
        self._waiting.append(json.dumps(told) + "\n")
        try:
            self._write()
        except OSError as error:
            if not self._refused:
                self._refused = True
                training.warn(
                    f"{self.path}: can't be written ({error.strerror}); training goes on, and the "
                    "log is written when there is room"
                )

    def _write(self) -> None:
        """Write the lines that wait, all or none; OSError where the disk refuses."""
        data = "".join(self._waiting).encode()
        with self.path.open("ab", buffering=0) as file:
            before = file.seek(0, os.SEEK_END)
            try:
                if file.write(data) != len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                file.truncate(before)
                raise
        self._waiting, self._refused = [], False

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tell in one line where the disk refuses."""
        try:
            yield
        except OSError as error:
            raise TrainingError(
                Problem(
                    str(self.path),
                    "",
                    f"can't be written ({error.strerror}); free some space and `run` again: "
                    "training goes on from the last checkpoint",
                )
            ) from None


def _step(line: str) -> float:
    """Return the step that a line is about; infinity where it can't be told."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, TypeError, KeyError):
        return float("inf")
