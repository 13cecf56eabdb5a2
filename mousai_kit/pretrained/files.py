"""Where a pretrained network lies: in a folder of the user's, or on the Hugging Face hub."""

from __future__ import annotations

import json
from pathlib import Path

from mousai_kit import hub

NEEDED = ("config.json", "tokenizer.json")
"""Files of a pretrained network for text beside its weights."""
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
"""Its weights: in one file, or the index of several."""
WANTED = (*NEEDED, *WEIGHTS, "model-*-of-*.safetensors")


def folder_of(model: str, revision: str | None) -> Path:
    """Return the folder of a model's files, downloaded if it is on the hub and not here yet.

    Whatever the hub's client and its network library raise, within seconds, where they can't be
    had.
    """
    if hub.is_folder(model):
        return Path(model).expanduser()
    kept = hub.kept(model, revision, WANTED)
    return kept if kept and is_complete(kept) else hub.fetched(model, revision, WANTED)


def is_complete(folder: Path) -> bool:
    """Tell whether a download was not cut off."""
    index = folder / WEIGHTS[1]
    parts = {WEIGHTS[0]}
    if index.is_file():
        parts = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    return all((folder / name).is_file() for name in (*NEEDED, *parts))


def lacking(folder: Path) -> str:
    """Return what a folder lacks, in words; empty where all is there."""
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if not missing and not any((folder / name).is_file() for name in WEIGHTS):
        missing = [WEIGHTS[0]]
    return " and ".join(missing)
