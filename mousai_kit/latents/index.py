"""Index: what a folder of shards holds, written when all of them are there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mousai_kit import checkpoints
from mousai_kit.latents.layout import Layout

NAME = "index.json"


@dataclass(frozen=True, slots=True)
class Index:
    """What a folder of shards holds."""

    made_of: str
    """Fingerprint that all shards share."""
    header: Mapping[str, Any]
    """Stage, key, recipe and digests of the weights below, as in other files of a stage."""
    split: str
    layout: Layout
    left_out: Sequence[int]
    """Clips of the dataset that could not be encoded."""
    shards: Sequence[Mapping[str, Any]]
    """Digest and number of crops of each shard."""

    @classmethod
    def read(cls, folder: Path) -> Index | None:
        """Return the index of a folder, None where there is none or it can't be read."""
        try:
            found = json.loads((folder / NAME).read_text(encoding="utf-8"))
            index = cls(**{**found, "layout": Layout(**found["layout"])})
            return index if index.header["key"]["stages"] and index.header["below"] else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, folder: Path) -> None:
        """Write the index, whole or not at all; one that says so already is left."""
        data = f"{json.dumps(asdict(self), indent=1)}\n".encode()
        path = folder / NAME
        if not path.is_file() or path.read_bytes() != data:
            checkpoints.write_bytes(path, data)

    @staticmethod
    def remove(folder: Path) -> None:
        """Take the index away, before shards change that it speaks of."""
        (folder / NAME).unlink(missing_ok=True)
