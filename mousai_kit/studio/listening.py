"""Listening tests on the disk: which clips, what was asked, and every listener's answers.

listening/<name>/test.json        what is heard, in no order
listening/<name>/answers.csv      a line an answer, written at once
"""

from __future__ import annotations

import csv
import io
import os
import random
import re
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from math import comb, sqrt
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from mousai_kit.core.component import Field, Options
from mousai_kit.core.errors import RequestError, argument_error
from mousai_kit.core.files import atomic_write
from mousai_kit.core.interfaces import Matrix

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,47}")
"""What a test is called."""
TEST, ANSWERS = "test.json", "answers.csv"
COLUMNS = ("time", "listener", "trial", "system", "right", "heard")
QUESTIONS = {
    "genres": ("Which genre is X?", ("X",)),
    "abx": ("Which one is X: A, or B?", ("A", "B", "X")),
}
"""What is asked in a test of a kind, and the letters of what is heard."""
CONFIDENT = 1.959963984540054
"""Standard deviations of a 95 % interval."""


class HeardClip(Options):
    """A clip of a test: what is heard, who made it, and the right answer."""

    system: str = Field(description="which system made it")
    right: str = Field(description="the right answer: the genre that was asked for, or A or B")
    files: list[str] = Field(description="references to what is heard: X, or A, B and X")


class ListeningTest(Options):
    """Clips in no order, and the answers to choose from."""

    name: str = Field(pattern=NAME.pattern, description="what it is called")
    kind: Literal["genres", "abx"] = Field(description="which genre, or which of two is the third")
    answers: list[str] = Field(min_length=2, description="what a listener may answer")
    clips: list[HeardClip] = Field(min_length=1, description="what is heard")


@dataclass(frozen=True, slots=True)
class ListenerAnswer:
    """What a listener said of a trial."""

    time: str
    listener: str
    trial: int
    system: str
    right: str
    heard: str


@dataclass(frozen=True, slots=True)
class AskedTrial:
    """A trial as a listener is asked it: nothing here tells a system, or which answer is right."""

    test: str
    listener: str
    trial: int | None
    """Its number in the listener's own order, from 1; None after the last."""
    total: int
    question: str
    answers: tuple[str, ...]
    sounds: tuple[str, ...]
    """Letters of what is heard."""


class ListeningTests:
    """The tests of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()

    @property
    def names(self) -> list[str]:
        """Return what there is."""
        return sorted(path.parent.name for path in self.folder.glob(f"*/{TEST}"))

    def create(self, test: ListeningTest) -> None:
        """Keep a test; RequestError where there is one of the name."""
        folder = self.folder / test.name
        if (folder / TEST).exists():
            raise argument_error("name", f"there is a test '{test.name}' already; name another")
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(folder / TEST) as file:
            file.write(test.model_dump_json(indent=1).encode())

    def find(self, name: str) -> ListeningTest:
        """Return a test; RequestError where there is none of the name, or it can't be read."""
        path = self.folder / name / TEST
        if not NAME.fullmatch(name) or not path.is_file():
            raise argument_error("test", f"there is no listening test '{name[:60]}'")
        try:
            return ListeningTest.model_validate_json(path.read_bytes())
        except ValidationError:
            raise argument_error("test", f"{name}/{TEST} is damaged; make the test anew") from None

    def test_of(self, file: str) -> str | None:
        """Return the name of a test in which a file is heard, None where there is none."""
        for name in self.names:
            with suppress(RequestError):  # it is damaged, or was removed meanwhile
                if any(file in clip.files for clip in self.find(name).clips):
                    return name
        return None

    def next_trial(self, test: ListeningTest, listener: str) -> int | None:
        """Return the trial that a listener hears next, None after the last.

        Each listener has an order of their own, the same one after a break.
        """
        check_listener(listener)
        done = {answer.trial for answer in self.answers(test.name) if answer.listener == listener}
        order = _listener_order(test, listener)
        return next((trial for trial in order if trial not in done), None)

    def ask(self, name: str, listener: str) -> AskedTrial:
        """Return what a listener is asked next."""
        test = self.find(name)
        trial = self.next_trial(test, listener)
        number = None if trial is None else _listener_order(test, listener).index(trial) + 1
        question, sounds = QUESTIONS[test.kind]
        total, answers = len(test.clips), tuple(test.answers)
        return AskedTrial(name, listener, number, total, question, answers, sounds)

    def answer(self, name: str, listener: str, trial: int, heard: str) -> AskedTrial:
        """Write an answer to a trial down, called by its number; return what is asked next."""
        test = self.find(name)
        check_listener(listener)
        if not 1 <= trial <= len(test.clips):
            raise argument_error("trial", f"must be 1 to {len(test.clips)} (got {trial})")
        with self._lock:
            self.record(test, listener, _listener_order(test, listener)[trial - 1], heard)
        return self.ask(name, listener)

    def record(self, test: ListeningTest, listener: str, trial: int, heard: str) -> None:
        """Write an answer down, on the disk when this returns.

        RequestError where it is none of those to choose from, or the trial was answered before.
        """
        check_listener(listener)
        if heard not in test.answers:
            raise argument_error("answer", f"must be one of {', '.join(test.answers)}")
        if not 0 <= trial < len(test.clips):
            raise argument_error("trial", f"must be 0 to {len(test.clips) - 1} (got {trial})")
        if any((a.listener, a.trial) == (listener, trial) for a in self.answers(test.name)):
            raise argument_error("trial", f"{listener} has answered it already")
        clip = test.clips[trial]
        now = datetime.now(UTC).isoformat(timespec="seconds")
        line = _csv_line([now, listener, str(trial), clip.system, clip.right, heard])
        path = self.folder / test.name / ANSWERS
        start = b"" if path.exists() and path.read_bytes().endswith(b"\n") else b"\n"
        with path.open("ab", buffering=0) as file:
            if not file.tell():
                start = _csv_line(COLUMNS).encode()
            file.write(start + line.encode())
            os.fsync(file.fileno())

    def results(self, name: str) -> ListeningResults:
        """Return what listeners said; RequestError where nobody has answered yet."""
        test = self.find(name)
        answers = self.answers(name)
        if not answers:
            raise argument_error("test", "nobody has answered yet")
        return ListeningResults(test, answers)

    def answers(self, name: str) -> list[ListenerAnswer]:
        """Return all answers to a test. A line that was cut short by a kill is none."""
        path = self.folder / name / ANSWERS
        if not path.exists():
            return []
        text = path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        rows = [row for row in csv.reader(io.StringIO(whole)) if len(row) == len(COLUMNS)]
        return [ListenerAnswer(r[0], r[1], int(r[2]), *r[3:]) for r in rows if r[2].isdecimal()]


@dataclass(frozen=True, slots=True)
class ListeningResults:
    """What listeners said of a test, one answer or more."""

    test: ListeningTest
    answers: list[ListenerAnswer]

    @property
    def systems(self) -> list[SystemJudged]:
        """Return what they said of each system."""
        return judge_systems(self.test, self.answers)

    @property
    def chance(self) -> float | None:
        """Return how likely an ABX test has so many right answers by guessing; None of genres."""
        right = sum(one.right for one in self.systems)
        return chance_of_guessing(right, len(self.answers)) if self.test.kind == "abx" else None

    @property
    def summary(self) -> str:
        """Return accuracies in words, a line for each system."""
        lines = [one.summary for one in self.systems]
        if self.chance is not None:
            lines.append(f"by guessing so many or more: p = {self.chance:.3f}")
        return "\n".join(lines)

    @property
    def csv(self) -> str:
        """Return the answers as CSV."""
        return answers_csv(self.answers)


@dataclass(frozen=True, slots=True)
class SystemJudged:
    """What listeners said of a system: the paper's table."""

    system: str
    matrix: Matrix
    rows: list[list[int]]
    """How often each answer (a column) was given to what was asked for (a row)."""
    right: int
    total: int

    @property
    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval of the accuracy."""
        return wilson_interval(self.right, self.total)

    @property
    def summary(self) -> str:
        """Return the accuracy in one line."""
        low, high = self.interval
        share = self.right / self.total if self.total else 0.0
        return (
            f"{self.system}: {self.right} right of {self.total}, {100 * share:.0f} % "
            f"(95 % interval: {100 * low:.0f} to {100 * high:.0f} %)"
        )


def judge_systems(test: ListeningTest, answers: Sequence[ListenerAnswer]) -> list[SystemJudged]:
    """Return the confusion matrix and the accuracy of each system, in the test's order."""
    judged = []
    for system in dict.fromkeys(clip.system for clip in test.clips):
        said = [answer for answer in answers if answer.system == system]
        counts = Counter((answer.right, answer.heard) for answer in said)
        rows = [[counts[right, heard] for heard in test.answers] for right in test.answers]
        shares = [[n / max(1, sum(row)) for n in row] for row in rows]
        title = f"{system}, {len({answer.listener for answer in said})} listeners"
        matrix = Matrix(test.answers, test.answers, shares, title)
        right = sum(answer.right == answer.heard for answer in said)
        judged.append(SystemJudged(system, matrix, rows, right, len(said)))
    return judged


def answers_csv(answers: Sequence[ListenerAnswer]) -> str:
    """Return answers as CSV."""
    rows = [[a.time, a.listener, str(a.trial), a.system, a.right, a.heard] for a in answers]
    return "".join(_csv_line(row) for row in [COLUMNS, *rows])


def wilson_interval(right: int, total: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson, 1927); 0 to 1 where nothing was asked."""
    if not total:
        return 0.0, 1.0
    share, square = right / total, CONFIDENT**2
    middle = (share + square / (2 * total)) / (1 + square / total)
    half = CONFIDENT / (1 + square / total)
    half *= sqrt(share * (1 - share) / total + square / (4 * total**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def chance_of_guessing(right: int, total: int) -> float:
    """Return how likely who guesses between two has at least so many right."""
    return sum(comb(total, n) for n in range(right, total + 1)) / 2**total


def _listener_order(test: ListeningTest, listener: str) -> list[int]:
    """Return the trials in a listener's own order."""
    order = list(range(len(test.clips)))
    random.Random(f"{test.name}/{listener}").shuffle(order)  # noqa: S311 (no secret)
    return order


def check_listener(name: str) -> None:
    """Raise RequestError where a listener's name is none."""
    if not name.strip() or len(name) > 60 or not name.isprintable():
        raise argument_error("listener", "must be a name of 1 to 60 characters")


def _csv_line(values: Sequence[str]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerow(values)
    return file.getvalue()
