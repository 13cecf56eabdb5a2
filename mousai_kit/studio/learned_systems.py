"""Learned systems: what trainings have learned, kept to make music with, also after a restart.

learned/<name>/   a run folder; <name> is the training's, and its step where it was not finished
"""

from __future__ import annotations

import threading
from itertools import count
from pathlib import Path

from mousai_kit.core.console import Screen
from mousai_kit.core.errors import MousaiError, RunError
from mousai_kit.runs import checkpoint
from mousai_kit.runs.adapter import FILE
from mousai_kit.runs.run_folder import RunFolder
from mousai_kit.studio.systems import Systems
from mousai_kit.training.playable import PlayableRun

TOLD_OF = ("step", "seconds", "key", "start")
"""What a file's header says of what was learned in it: two with the same are the same."""


class LearnedSystems:
    """Runs in a folder, as they were when they were taken, that a studio makes music with."""

    def __init__(self, folder: Path, systems: Systems) -> None:
        self.folder, self.systems = folder, systems
        self._lock = threading.Lock()

    def add_kept(self) -> None:
        """Add what was taken before to the systems; say in a line what can't be."""
        for path in sorted(self.folder.glob("*/recipe.yaml")):
            if path.parent.name[0] != ".":
                try:
                    self._add(path.parent)
                except MousaiError as error:
                    Screen().print(f"{path.parent.name}: is left out: {error}")

    def take(self, name: str, run: Path) -> str:
        """Keep what a training has learned so far; return the name of the system that it is now.

        RunError where it has no checkpoint yet; WeightsError where one can't be used.
        """
        with self._lock:
            found = PlayableRun.find(run)
            plain = Path(name).name
            called = plain if found.is_finished else f"{plain}-step-{found.step}"
            for number in count(1):
                target = self.folder / (called if number == 1 else f"{called}-{number}")
                if self.systems.targets.get(target.name, str(target)) != str(target):
                    continue  # it is what another system is called
                if not target.exists():
                    self._write(found, target)
                    break
                if _says_alike(found, target):
                    break
            self._add(target)
            return target.name

    def _write(self, found: PlayableRun, target: Path) -> None:
        try:
            found.write(target)
        except OSError as error:
            told = f"can't be written ({error.strerror}); free some space"
            raise RunError.about(target, told) from None

    def _add(self, path: Path) -> None:
        """Add a run to the systems, and its adapter to the adapters."""
        self.systems.add(path.name, str(path))
        if any(path.glob(f"*/{FILE}")):
            self.systems.adapters.setdefault(path.name, str(path))


def _says_alike(found: PlayableRun, target: Path) -> bool:
    """Return whether a run that is kept is what was found."""
    stage, source = [*found.sources.items()][-1]
    kept = RunFolder(target).stage(stage).weights
    if not kept.is_file():
        return False
    one, other = checkpoint.read_header(source), checkpoint.read_header(kept)
    return all(one.get(key) == other.get(key) for key in TOLD_OF)
