"""Index file: what was read of a folder's music, kept for the next time (SQLite)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import mousai_kit.api as mk

OURS = 0x6D6B6974
"""SQLite's application id of an index: the letters `mkit`."""
VERSION = 2
"""Version of its tables: another one's is made anew."""
PATIENCE = 60.0
"""Seconds to wait while another process writes."""
HEAD = 72
"""Bytes at a database's beginning that say what it is; its last four are the application id."""
TABLES = (
    "drop table if exists tracks",
    "drop table if exists measures",
    "create table tracks (path blob primary key, stamp, seconds, said) without rowid",
    "create table measures (path blob primary key, stamp, value) without rowid",
)
T = TypeVar("T")


class Row(NamedTuple):
    """What was read of a track: its path within the folder, what tells whether it changed, its
    length, and what is said of it.
    """

    path: bytes
    stamp: str
    seconds: float
    said: str


class IndexFile:
    """Tracks and measures by path and stamp. It is a convenience: what is damaged is made anew,
    what can't be used is gone without, and `fault` says why.

    Each use opens and closes it, so that threads, workers and ranks can share it. Its journal is
    SQLite's plain one: the newer one (WAL) does not work on network file systems.
    """

    def __init__(self, path: Path, *, named: bool) -> None:
        """Take the index at a path; AudioError where a user `named` a file that is none."""
        self.path, self.fault = path, ""
        if self._is_foreign():
            if named:
                told = "is no index of music; name another file, or a new one"
                raise mk.AudioError(mk.Problem(mk.display_path(path), "index", told))
            self._remove()

    def tracks(self, paths: Sequence[bytes]) -> dict[bytes, Row]:
        """Return what is known of these tracks, by path."""
        rows = map(Row._make, self._of("tracks", "path, stamp, seconds, said", paths))
        return {row.path: row for row in rows}

    def measures(self, paths: Sequence[bytes]) -> dict[bytes, tuple[str, str]]:
        """Return stamp and measures of each of these tracks that was measured."""
        rows = self._of("measures", "path, stamp, value", paths)
        return {path: (stamp, value) for path, stamp, value in rows}

    def keep_tracks(self, rows: Sequence[Row]) -> None:
        """Write what was read of tracks."""
        self._write("insert or replace into tracks values (?, ?, ?, ?)", rows)

    def cache_stats(self, rows: Sequence[tuple[bytes, str, str]]) -> None:
        """Write path, stamp and measures of tracks."""
        self._write("insert or replace into measures values (?, ?, ?)", rows)

    def forget(self, is_there: Callable[[bytes], bool]) -> None:
        """Leave out the tracks that are there no more."""
        for table in ("tracks", "measures"):
            known = self._query(f"select path from {table}", ())  # noqa: S608 - a table of ours
            gone = [(path,) for (path,) in known if not is_there(path)]
            self._write(f"delete from {table} where path = ?", gone)  # noqa: S608

    def _of(self, table: str, columns: str, paths: Sequence[bytes]) -> list[Any]:
        marks = ", ".join("?" * len(paths))
        return self._query(f"select {columns} from {table} where path in ({marks})", paths)  # noqa: S608

    def _query(self, query: str, values: Sequence[bytes]) -> list[Any]:
        if not self.path.exists():
            return []
        return self._use(lambda file: file.execute(query, values).fetchall()) or []

    def _write(self, query: str, rows: Sequence[tuple[Any, ...]]) -> None:
        def write(file: sqlite3.Connection) -> None:
            file.execute("begin immediate")
            file.executemany(query, rows)
            file.execute("commit")

        if rows:
            self._use(write)

    def _use(self, use: Callable[[sqlite3.Connection], T]) -> T | None:
        """Return what is made of the open file; None, and no further try, where it is of no use.

        A damaged file is taken away, and the next one is empty.
        """
        for _ in range(2):
            if self.fault:
                break
            try:
                with closing(self._open()) as file:
                    return use(file)
            except sqlite3.OperationalError as error:
                self.fault = str(error)
            except sqlite3.DatabaseError:
                self._remove()
        return None

    def _open(self) -> sqlite3.Connection:
        file = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None)
        file.execute("pragma synchronous = normal")
        if _version(file) != VERSION:
            file.execute("begin immediate")
            if _version(file) != VERSION:  # or else another process was quicker
                for statement in TABLES:
                    file.execute(statement)
                file.execute(f"pragma application_id = {OURS}")
                file.execute(f"pragma user_version = {VERSION}")
            file.execute("commit")
        return file

    def _is_foreign(self) -> bool:
        """Return whether another program's file lies where the index belongs."""
        try:
            with self.path.open("rb") as file:
                head = file.read(HEAD)
        except FileNotFoundError:
            return False
        except OSError as error:
            self.fault = error.strerror or str(error)
            return False
        return bool(head) and head[-4:] != OURS.to_bytes(4, "big")

    def _remove(self) -> None:
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            self.fault = error.strerror or str(error)


def _version(file: sqlite3.Connection) -> int:
    return file.execute("pragma user_version").fetchone()[0]
