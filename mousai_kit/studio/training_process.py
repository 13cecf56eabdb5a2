"""Processes of trainings: begun apart from the studio, found again by what they hold, stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from mousai_kit.core.errors import argument_error
from mousai_kit.core.files import atomic_write

PROCESS, OUTPUT, LOCK = "process.json", "output.txt", ".lock"
COMMANDS = ("mousai-kit", "mousai_kit")
"""What our program is called in a process's command line, as a script and as a module."""
FIRST_WORDS = 6
"""Words of a command line among which its name is: Python, and its options, come before."""


@dataclass(frozen=True, slots=True)
class RunningTraining:
    """A process that trains in a run folder, and why it can't be stopped from here, if it can't."""

    process: psutil.Process
    fault: str = ""

    def stop(self, name: str) -> None:
        """Ask it to stop, as Ctrl-C does: it keeps what it learned. RequestError where it can't."""
        if self.fault:
            raise argument_error("training", f"'{name}' {self.fault}")
        try:
            self.process.send_signal(signal.SIGINT)
        except psutil.NoSuchProcess:
            raise argument_error("training", f"'{name}' does not run") from None


class TrainingProcesses:
    """Trainings as processes, those that this studio began among them."""

    def __init__(self) -> None:
        self._children: dict[int, subprocess.Popen[bytes]] = {}

    def begin(self, words: Sequence[str], folder: Path) -> None:
        """Run `mousai-kit run` with these words in a session of its own.

        The folder gets what it says, and which process it is.
        """
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

    def find(self, folder: Path, run: Path) -> RunningTraining | None:
        """Return what trains in a run folder, None where nothing does.

        It is the process that holds the run's lock, or one that `begin` noted in a folder and that
        has not come so far. A number that another process has by now means nothing.
        """
        self._forget_ended()
        return _lock_holder(run) or self._noted_process(folder)

    def _forget_ended(self) -> None:
        """Take the end of children that have ended, so that none stays behind."""
        for pid, child in [*self._children.items()]:  # another thread may begin one meanwhile
            if child.poll() is not None:
                self._children.pop(pid, None)

    def _noted_process(self, folder: Path) -> RunningTraining | None:
        """Return the process that was noted in a folder, if it is that one still."""
        with suppress(OSError, ValueError, KeyError, TypeError, psutil.Error):
            noted = json.loads((folder / PROCESS).read_text())
            process = psutil.Process(noted["pid"])
            # a zombie is another studio's child; one of ours may have threads that are still ending
            is_over = process.status() == psutil.STATUS_ZOMBIE and process.pid not in self._children
            if not is_over and abs(process.create_time() - noted["began"]) < 1:
                return RunningTraining(process)
        return None


def _lock_holder(run: Path) -> RunningTraining | None:
    """Return the process that has a run folder's lock open and wrote its number there."""
    lock = run / LOCK
    with suppress(OSError, ValueError, psutil.Error):
        process = psutil.Process(int(lock.read_text()))
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        is_ours = process.uids().real == os.getuid()
        named = _is_training(process.cmdline())
        if not is_ours:  # whose files can't be looked at
            return RunningTraining(process, "is another user's process") if named else None
        if any(Path(file.path) == lock.resolve() for file in process.open_files()):
            fault = "" if named else f"is trained by process {process.pid}, no `mousai-kit run`"
            return RunningTraining(process, fault and f"{fault}: stop it where it was started")
    return None


def _is_training(words: Sequence[str]) -> bool:
    """Return whether a command line is that of `mousai-kit run`."""
    first = [Path(word).name for word in words[:FIRST_WORDS]]
    place = next((number for number, word in enumerate(first) if word in COMMANDS), None)
    return place is not None and "run" in words[place + 1 : place + 2]
