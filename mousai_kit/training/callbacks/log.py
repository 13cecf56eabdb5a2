"""The log of training: a JSON value a line, in the order of the steps."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mousai_kit.core import files
from mousai_kit.core.errors import TrainingError
from mousai_kit.training.callbacks.base import Callback, TrainerView


class JsonlLogger(Callback):
    """A file `log.jsonl`. Steps that are taken again replace their lines.

    Where the disk is full the lines wait in memory, and no checkpoint is written before they are.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._waiting: list[str] = []
        self._refused = False

    def on_train_start(self, training: TrainerView) -> None:
        """Forget what is said of later steps, and a last line that was cut short."""
        if not self.path.exists():
            return
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            what = (
                f"can't be written ({error.strerror}); free some space and `run` again: "
                "training goes on from the last checkpoint"
            )
            raise TrainingError.about(self.path, what) from None
        lines = text.splitlines(keepends=True)
        kept = [line for line in lines if _step(line) <= training.step]
        if kept != lines:
            files.write_bytes(self.path, "".join(kept).encode())

    def sync(self) -> None:
        """Wait until all that was logged is on the disk; TrainingError where that can't be."""
        try:
            if self._refused:
                raise OSError(errno.ENOSPC, "there was no room for all of it")
            if self.path.exists():
                with self.path.open("ab") as file:
                    files.sync(file)
        except OSError as error:
            what = f"can't be written ({error.strerror}), and without it no checkpoint"
            raise TrainingError.about(self.path, what) from None

    def log(self, training: TrainerView, values: Mapping[str, Any]) -> None:
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


def _step(line: str) -> float:
    """Return the step that a line is about; infinity where it can't be told."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, TypeError, KeyError):
        return float("inf")
