"""Members: the samples of a tar shard, in the words of the library webdataset.

A sample is what stands one after another under the same key: of `a/0001.mix.flac` the key is
`a/0001` and the ending `mix.flac`. No ending has a space: of `02. Mr. Someone (live).flac`, which
the library would cut at the first dot, the key is `02. Mr. Someone (live)`.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

_ENDING = re.compile(r"[\w-]+(\.[\w-]+)*")
END = b"\0" * tarfile.BLOCKSIZE
"""What comes after a tar's last member."""


class Member(NamedTuple):
    """A file in a tar: its name, and where its bytes are."""

    name: str
    offset: int
    size: int

    @property
    def key(self) -> str:
        """Return what it shares with the others of its sample."""
        return self._split()[0]

    @property
    def ending(self) -> str:
        """Return what tells it from the others of its sample, in lower case, without a dot."""
        return self._split()[1].lower()

    def _split(self) -> tuple[str, str]:
        """Return key and ending: from the first dot on if that is one, else from the last."""
        folder, slash, file = self.name.rpartition("/")
        stem, dot, ending = file.partition(".")
        if dot and not _ENDING.fullmatch(ending):
            stem, _, ending = file.rpartition(".")
        return f"{folder}{slash}{stem}", ending


@dataclass
class Members:
    """The members of a tar; after them, `fault` says why there may be more, or nothing."""

    path: Path
    fault: str = field(default="", init=False)

    def samples(self) -> Iterator[list[Member]]:
        """Yield the members of each sample."""
        named = (member for member in self._files() if member.ending and not _meta(member))
        for _, members in groupby(named, key=lambda member: member.key):
            yield list(members)

    def _files(self) -> Iterator[Member]:
        """Yield the regular files that are whole, in constant memory."""
        size = self.path.stat().st_size
        with tarfile.open(self.path, "r:") as tar:
            try:
                while info := tar.next():
                    tar.members.clear()  # type: ignore[attr-defined]  # or each would be kept
                    whole = info.offset_data + info.size <= size
                    if whole and info.isreg() and not info.issparse():
                        name = info.name.removeprefix("./").lstrip("/")
                        yield Member(name, info.offset_data, info.size)
            except tarfile.TarError as error:
                self.fault = str(error)
                return
            if not self._ends(tar.offset):
                self.fault = "it has no end"

    def _ends(self, offset: int) -> bool:
        with self.path.open("rb") as file:
            file.seek(offset)
            return file.read(len(END)) == END


def _meta(member: Member) -> bool:
    """Return whether a member is hidden, or tells of the shard, as `__index__.json` does."""
    first = member.name.partition("/")[0].partition(".")[0]
    hidden = member.name.rpartition("/")[2].startswith(".")
    return hidden or (first.startswith("__") and first.endswith("__"))
