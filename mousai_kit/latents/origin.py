"""Origin: what latents are made of, and in what others, made before, differ from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mousai_kit.errors import listed
from mousai_kit.latents.layout import Layout
from mousai_kit.recipe import differences
from mousai_kit.runs import key_today, some

Header = Mapping[str, Any]
"""What a file of a stage says of where it comes from: `stage`, `key`, `recipe` and `below`."""


def made_of(header: Header, split: str, layout: Layout) -> dict[str, Any]:
    """Return all that decides the latents that a stage learns from, but the number of passes.

    How the stage itself is built and trained does not: those that were made serve again.
    """
    key = header["key"]
    stages = dict(key["stages"])
    own = stages.pop(header["stage"])
    return {
        "audio": key["audio"],
        "data": key["data"],
        "stages": {name: values["model"] for name, values in stages.items()},
        "weights": dict(zip(stages, header["below"], strict=True)),
        "length": own["train"]["length"],
        "split": split,
        "clips": layout.clips,
        "per shard": layout.per_shard,
    }


def made_of_today(header: Header, split: str, layout: Layout) -> dict[str, Any]:
    """Return what decided latents of an earlier day in the names and defaults of today's parts."""
    return made_of({**header, "key": key_today(dict(header))}, split, layout)


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Return in a few words what changed between two origins; empty where they are one."""
    paths = differences(old, new)
    weights = [name for name in new["weights"] if f"weights.{name}" in paths]
    others = [path for path in paths if path != "clips" and not path.startswith("weights.")]
    if others:
        return f"{some(others)} changed"
    if weights:
        return f"the weights of {listed(weights)} changed"
    if paths:
        return f"the music changed: it was {old['clips']} clips and is {new['clips']}"
    return ""
