"""The log of training: a JSON value a line, in the order of the steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mousai_kit import checkpoints
from mousai_kit.errors import Problem, TrainingError


class Log:
    """A file `log.jsonl`. Steps that are taken again replace their lines."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def go_on_from(self, step: int) -> None:
        """Forget what is said of later steps, and a last line that was cut short."""
        if not self.path.exists():
            return
        lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        kept = [line for line in lines if _step(line) <= step]
        if kept != lines:
            checkpoints.write_bytes(self.path, "".join(kept).encode())

    def add(self, values: dict[str, Any]) -> None:
        """Write a line; TrainingError where the disk refuses."""
        try:
            with self.path.open("a") as file:
                file.write(json.dumps(values) + "\n")
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
