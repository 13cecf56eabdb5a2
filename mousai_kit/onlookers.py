"""Onlookers: all that looks on while a recipe's stage is trained."""

from __future__ import annotations

from mousai_kit.console import Screen
from mousai_kit.runs import StageFolder
from mousai_kit.training.observing import Observer
from mousai_kit.training.showing.curves import Curves
from mousai_kit.training.showing.harmless import Harmless
from mousai_kit.training.showing.table import Table


def onlookers(files: StageFolder, *, screen: Screen) -> list[Observer]:
    """Return what looks on while a stage is trained into a folder."""
    return [Table(screen), Harmless(Curves(files.log, files.curves), "drawing the curves")]
