"""Trainings: processes of their own that a studio starts, watches and stops, and that outlive it.

trainings/<name>/command.json   what was started, so that it can go on
trainings/<name>/process.json   which process it is, and when it began
trainings/<name>/output.txt     what it said
trainings/<name>/run/           its run folder
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from mousai_kit.core.errors import argument_error
from mousai_kit.core.files import atomic_write
from mousai_kit.recipe import RUNS

TUNE = "mousai-tune"
"""The recipe that tunes the starter."""
TRAINING_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,47}")
COMMAND, PROCESS, OUTPUT, RUN = "command.json", "process.json", "output.txt", "run"
LAST_LINES = 12
"""Lines of output that are shown."""


@dataclass(frozen=True, slots=True)
class TrainingView:
    """A training as it stands."""

    name: str
    running: bool
    ours: bool
    """Whether a studio started it, so that it can be stopped and go on from here."""
    step: int
    told: str
    """What it said last, or what its log says."""
    warnings: tuple[str, ...]
    curves: Path | None
    demos: tuple[Path, ...]
    """The newest ones."""


class Trainings:
    """The trainings of a gallery, and other runs to watch."""

    def __init__(
        self, folder: Path, music: Sequence[Path], *, runs: Path = RUNS, recipe: str = TUNE
    ) -> None:
        """Keep them in a folder; they learn from folders of `music`, as `recipe` says."""
        self.folder, self.runs, self.recipe = folder, runs, recipe
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self.music = [path.expanduser().resolve() for path in music]

    @property
    def music_folders(self) -> list[str]:
        """Return the folders that may be learned from: those named, and those in them."""
        found = []
        for root in self.music:
            if root.is_dir():
                found += [
                    root,
                    *sorted(p for p in root.iterdir() if p.is_dir() and p.name[0] != "."),
                ]
        return [str(path) for path in found]

    @property
    def names(self) -> list[str]:
        """Return what can be watched: trainings that were started here, then runs with a log."""
        ours = sorted(path.parent.name for path in self.folder.glob(f"*/{COMMAND}"))
        logs = self.runs.glob("*/*/log.jsonl")
        return [*ours, *sorted({f"{self.runs}/{path.parents[1].name}" for path in logs})]

    def start(self, name: str, music: str, *, steps: int) -> None:
        """Begin to tune the starter to a folder of music; what is wrong its output tells.

        RequestError for a name that is none or taken, or a folder that may not be learned from.
        """
        if not TRAINING_NAME.fullmatch(name):
            raise argument_error("name", "must be small letters, digits and hyphens, as in mine-1")
        if (self.folder / name).exists():
            raise argument_error("name", f"there is a training '{name}' already; name another")
        self.check_music(music)
        if not 1 <= steps <= 1_000_000:
            raise argument_error("steps", f"must be 1 to 1000000 (got {steps})")
        changes = [
            f"data.path={music}",
            f"stages.generator.train.steps={steps}",
            f"demo.every={max(1, steps // 10)}",
        ]
        words = [self.recipe, "--out", str(self.folder / name / RUN)]
        words += [word for change in changes for word in ("--set", change)]
        folder = self.folder / name
        folder.mkdir(parents=True)
        with atomic_write(folder / COMMAND) as file:
            file.write(json.dumps(words).encode())
        self.go_on(name)

    def go_on(self, name: str) -> None:
        """Start a training, or let one that was stopped go on; RequestError where it runs."""
        folder = self._own(name)
        if self._process(folder) is not None:
            raise argument_error("training", f"'{name}' runs already")
        words = json.loads((folder / COMMAND).read_text())
        with (folder / OUTPUT).open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 (our own program)
                [sys.executable, "-m", "mousai_kit", "run", *words],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._children[process.pid] = process
        began = psutil.Process(process.pid).create_time()
        with atomic_write(folder / PROCESS) as file:
            file.write(json.dumps({"pid": process.pid, "began": began}).encode())

    def stop(self, name: str) -> None:
        """Ask a training to stop, as Ctrl-C does: it keeps what it learned and can go on."""
        process = self._process(self._own(name))
        if process is None:
            raise argument_error("training", f"'{name}' does not run")
        process.send_signal(signal.SIGINT)

    def view(self, name: str) -> TrainingView:
        """Return how a training stands; RequestError where there is none of the name."""
        ours = (self.folder / name / COMMAND).exists() and bool(TRAINING_NAME.fullmatch(name))
        if not ours and name not in self.names:
            raise argument_error("training", f"there is no '{name[:60]}'")
        run = self.folder / name / RUN if ours else self.runs / Path(name).name
        log, values = _newest_log(run)
        warnings = [value["warning"] for value in values if "warning" in value]
        last = values[-1] if values else {}
        said = _last_lines(self.folder / name / OUTPUT) if ours else ""
        return TrainingView(
            name=name,
            running=ours and self._process(self.folder / name) is not None,
            ours=ours,
            step=int(last.get("step", 0)),
            told="\n".join(filter(None, [_describe(log, values), said])),
            warnings=tuple(warnings[-5:]),
            curves=_if_there(log.with_name("loss.png")) if log else None,
            demos=tuple(_newest_demos(log.parent)) if log else (),
        )

    def check_music(self, music: str) -> Path:
        """Return a folder of music; RequestError where it is none that may be learned from."""
        if music not in self.music_folders:
            told = "is none of the folders of music; start the studio with --music FOLDER"
            raise argument_error("music", told, music[:100])
        return Path(music)

    def _own(self, name: str) -> Path:
        """Return the folder of a training that was started here."""
        if not TRAINING_NAME.fullmatch(name) or not (self.folder / name / COMMAND).exists():
            raise argument_error("training", f"'{name[:60]}' was not started here")
        return self.folder / name

    def _process(self, folder: Path) -> psutil.Process | None:
        """Return the process of a training, None where it has ended."""
        ended = [pid for pid, child in self._children.items() if child.poll() is not None]
        for pid in ended:
            del self._children[pid]
        with suppress(OSError, ValueError, KeyError, psutil.Error):
            found = json.loads((folder / PROCESS).read_text())
            process = psutil.Process(found["pid"])
            is_over = process.status() == psutil.STATUS_ZOMBIE  # it is another studio's child
            if not is_over and abs(process.create_time() - found["began"]) < 1:
                return process
        return None


def _newest_log(run: Path) -> tuple[Path | None, list[dict[str, Any]]]:
    """Return the log that was written last in a run folder, and what its lines say."""
    logs = sorted(run.glob("*/log.jsonl"), key=lambda path: path.stat().st_mtime)
    if not logs:
        return None, []
    values = []
    for line in logs[-1].read_text(encoding="utf-8", errors="replace").splitlines():
        with suppress(ValueError):  # a line that is being written
            values.append(json.loads(line))
    return logs[-1], values


def _describe(log: Path | None, values: Sequence[dict[str, Any]]) -> str:
    """Return what a log says, in one line."""
    losses = [value["loss"] for value in values if "loss" in value]
    if log is None or not losses:
        return "nothing is logged yet"
    mean = sum(losses[-100:]) / len(losses[-100:])
    return f"{log.parent.name}: step {values[-1]['step']}, loss {mean:.4g} (mean of the last 100)"


def _last_lines(file: Path) -> str:
    if not file.exists():
        return ""
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-LAST_LINES:])


def _newest_demos(stage: Path) -> list[Path]:
    steps = sorted(stage.glob("demos/step-*"))
    return sorted(steps[-1].glob("*.flac"))[:4] if steps else []


def _if_there(path: Path) -> Path | None:
    return path if path.exists() else None
