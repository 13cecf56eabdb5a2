"""Onlookers: all that looks on while a recipe's stage is trained."""

from __future__ import annotations

from mousai_kit.console import Screen
from mousai_kit.runs import StageFolder
from mousai_kit.training.observing import Observer
from mousai_kit.training.showing.curves import Curves
from mousai_kit.training.showing.harmless import Harmless
from mousai_kit.training.showing.table import Table
from mousai_kit.training.watching import watchers


def onlookers(files: StageFolder, *, screen: Screen, watched: bool, fresh: bool) -> list[Observer]:
    """Return what looks on while a stage is trained into a folder.

    `watched` says whether it is to be watched for what goes wrong, `fresh` whether it begins with
    weights that know nothing.
    """
    found = watchers(fresh=fresh) if watched else []
    return [
        Table(screen),
        Harmless(Curves(files.log, files.curves), "drawing the curves"),
        *(Harmless(it, f"watching ({it.name})") for it in found),
    ]
