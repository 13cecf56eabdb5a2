"""Blame: whose code an exception came from in mid-command, in one line."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator

import mousai_kit
from mousai_kit.errors import one_line
from mousai_kit.plugins.entries import OWN, Entry, installed_entries
from mousai_kit.plugins.faults import FRAMEWORK, Place, homes
from mousai_kit.plugins.telling import in_short

WORKER = re.compile(r'^  File "(.+)", line (\d+)', re.MULTILINE)
"""A line of the traceback that a data loader's worker sends as its exception's text."""


def blame(error: BaseException) -> str:
    """Return whose fault an exception is, where it is, and what to do.

    Wherever a third party's code had a hand in it, it is theirs: what came with mousai-kit is
    tested, and was perhaps called wrongly.
    """
    entries = [(entry, homes(entry.value.partition(":")[0])) for entry in installed_entries()]
    ours = (
        FRAMEWORK,
        *(home for entry, files in entries if entry.package == OWN for home in files),
    )
    places = list(_places(error))[::-1]
    told = one_line(str(error).splitlines()[-1]) if _from_worker(error) else in_short(error)
    for place in places:
        for entry, files in entries:
            if entry.package != OWN and place.file.startswith(files):
                return f"{entry.owner}: {place}: {told}; {_theirs(entry)}"
    own = next((it for it in places if it.file.startswith(ours)), None)
    version = f"{OWN} {mousai_kit.__version__}"
    where = f"{own}: " if own else ""
    return f"{version}: {where}{told}; a fault of mousai-kit: please report it"


def _theirs(entry: Entry) -> str:
    return f"a fault of this plug-in: tell its author, or set MOUSAI_KIT_WITHOUT={entry.name}"


def _places(error: BaseException) -> Iterator[Place]:
    """Yield the lines that an exception came through, the innermost last."""
    for frame in traceback.extract_tb(error.__traceback__):
        yield Place(frame.filename, frame.lineno or 1)
    if _from_worker(error):
        for file, line in WORKER.findall(str(error)):
            yield Place(file, int(line))


def _from_worker(error: BaseException) -> bool:
    return "in DataLoader worker process" in str(error)
