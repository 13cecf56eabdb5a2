"""Ending: of all processes that end for one reason, one says which it was."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

from mousai_kit.core.errors import MousaiError, Problem
from mousai_kit.core.rank import Rank

HURRY = 3.0
"""Seconds in which a process that ends says so to the others."""


class RankError(MousaiError):
    """Another process of the launch has ended, or does not answer."""

    def __init__(self, origin: str = "", path: str = "", known: str = "") -> None:
        self.origin, self.path = origin, path
        self.known = known or "what was written stays; the same command goes on from there"
        super().__init__(self.of([]))

    def of(self, gone: Sequence[int]) -> Problem:
        """Return the line that says which processes ended without a word."""
        what = "the processes lost each other, or were told to end"
        if gone:
            names = f"process{'es' if gone[1:] else ''} {', '.join(map(str, gone))}"
            what = f"{names} (of 0 to {Rank.here().count - 1}) ended, and the others with it"
        return Problem(self.origin, self.path, f"{what}; {self.known}")


def install_sigterm_handler() -> None:
    """Take its signal to end, which follows the end of another process, as a RankError."""

    def raise_rank_error(number: int, frame: Any) -> None:
        raise RankError()

    if not Rank.here().alone:
        signal.signal(signal.SIGTERM, raise_rank_error)


def should_report() -> bool:
    """Return whether this process is the one to say why all end: the first that asks."""
    here, launcher_keeps_notes = Rank.here(), "TORCHELASTIC_USE_AGENT_STORE" in os.environ
    if here.alone:
        return True
    _end_undisturbed()
    torch = sys.modules.get("torch")
    if not (launcher_keeps_notes or (torch and torch.distributed.is_initialized())):
        return here.main  # all are at the beginning still, where all find the same
    try:
        notes, until = _notes(), time.monotonic() + HURRY
        first = bool(notes.add("told", 1) == 1)
        if here.main and not launcher_keeps_notes:  # the notes go with this process
            while notes.add("told", 0) < here.count and time.monotonic() < until:
                time.sleep(0.05)
    except Exception:  # whoever kept the notes is gone: better told twice than not at all
        return True
    return first


def name_failed_ranks(error: RankError) -> MousaiError:
    """Return an error that says which process ended.

    Each that is left says so to the others. Who has not done so in a while is the one, unless
    another process has told by then why it ends.
    """
    _end_undisturbed()
    silent = [*range(Rank.here().count)]
    with suppress(Exception):  # as above
        notes, until = _notes(), time.monotonic() + HURRY
        notes.set(f"ended {Rank.here().index}", "")
        while silent and time.monotonic() < until and not notes.check(["told"]):
            silent = [name for name in silent if not notes.check([f"ended {name}"])]
            time.sleep(0.05)
    return MousaiError(error.of([] if len(silent) == Rank.here().count else silent))


def leave() -> None:
    """Wait until all have come to their end: whose connection closes before takes others along."""
    with suppress(Exception):  # as above
        notes = _notes()
        notes.add("done", 1)
        while notes.add("done", 0) < Rank.here().count and not notes.check(["told"]):
            time.sleep(0.05)


def _end_undisturbed() -> None:
    """Leave the launcher's signal to end aside: this process is about to."""
    if threading.current_thread() is threading.main_thread():  # no other may
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _notes() -> Any:
    """Return what processes that end leave for each other, at the address where they first met."""
    from torch import distributed

    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    socket.create_connection((host, port), HURRY).close()  # which fails at once, without a word
    hurry = timedelta(seconds=HURRY)
    stores: Any = distributed  # which hides its stores from mypy
    with _no_word_of_torch():
        store = stores.TCPStore(host, port, is_master=False, wait_for_workers=False, timeout=hurry)
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    return stores.PrefixStore(f"mousai-kit/{attempt}", store)


@contextmanager
def _no_word_of_torch() -> Iterator[None]:
    """Keep from stderr what torch's C++ writes there, past Python, of a machine that is gone."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
