"""Shard paths: the tar files that a recipe's `shards` stands for."""

from __future__ import annotations

import re
from pathlib import Path

import mousai_kit.api as mk
from mousai_kit_shards.braces import expand

_REMOTE = re.compile(r"[a-z0-9+]+://|pipe:")
LISTED = 10
"""Shards named where some are missing."""


def shard_paths(shards: str) -> list[Path]:
    """Return the tar files of a folder, or of a path with braces; AudioError if one is missing."""
    if _REMOTE.match(shards):
        raise _fault(
            shards,
            "shards are read from this machine's disks and what is mounted there; mount the "
            "bucket, or copy them",
        )
    try:
        paths = [Path(name).expanduser() for name in expand(shards)]
    except ValueError as error:
        raise _fault(shards, str(error)) from None
    if len(paths) == 1 and paths[0].is_dir():
        return _within(paths[0])
    names = [mk.display_path(path) for path in paths if not path.is_file()]
    if missing := [mk.Problem(name, "", "there is no such shard") for name in names]:
        more = [mk.Problem(shards, "", f"{len(missing) - LISTED} more shards are missing")]
        raise mk.AudioError(*missing[:LISTED], *(more if len(missing) > LISTED else []))
    return paths


def _within(folder: Path) -> list[Path]:
    """Return a folder's shards, in the order of their names."""
    found = sorted(path for path in folder.glob("*.tar") if not path.name.startswith("."))
    if not found:
        raise _fault(mk.display_path(folder), "holds no shards (.tar)")
    return found


def _fault(origin: str, message: str) -> mk.AudioError:
    return mk.AudioError(mk.Problem(origin, "", message))
