"""History: what a stage's log tells of its training, in the room of a picture."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mousai_kit.training.showing.series import Series

STEPPED = ("loss", "gradient_norm", "learning_rate")
"""What the log says of each step."""


class History:
    """Series of what changes from step to step, of validations by condition, and warnings."""

    def __init__(self) -> None:
        self.steps = {name: Series() for name in STEPPED}
        self.validations: dict[str, Series] = {}
        self.warnings: dict[int, str] = {}

    @classmethod
    def of(cls, log: Path) -> History:
        """Return what a log tells; a line that is broken tells nothing."""
        history = cls()
        if log.is_file():
            with log.open(encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    history._read(line)
        return history

    def add(self, step: int, told: Mapping[str, Any]) -> None:
        """Add what a line of the log says of a step."""
        for name, series in self.steps.items():
            series.add(step, _number(told.get(name)))
        for condition, loss in told.get("validation", {}).items():
            self.validations.setdefault(condition, Series()).add(step, _number(loss))
        if "warning" in told:
            self.warnings[step] = str(told["warning"])

    def _read(self, line: str) -> None:
        try:
            told = json.loads(line)
            self.add(told["step"], told)
        except (ValueError, TypeError, KeyError, AttributeError):
            return


def _number(value: object) -> float:
    """Return a number; NaN for what is none."""
    return float(value) if isinstance(value, int | float) else math.nan
