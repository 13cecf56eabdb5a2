"""Where a pretrained T5 lies: in a folder of the user's, or on the Hugging Face hub."""

from __future__ import annotations

import json
from pathlib import Path

import mousai_kit.api as mk
from mousai_kit_mousai.t5_network import NEEDED, WEIGHTS, unusable

WANTED = (*NEEDED, *WEIGHTS, "model-*-of-*.safetensors")


def folder_of(model: str, revision: str | None) -> Path:
    """Return the folder of a T5's files, downloaded if it is on the hub and not here yet.

    WeightsError, within seconds, where they can't be had.
    """
    if mk.hub.is_folder(model):
        return Path(model).expanduser()
    try:
        return _cached(model, revision) or mk.hub.fetched(model, revision, WANTED)
    except Exception as error:  # whatever the hub's client and its network library raise
        told = mk.hub.reason(error, NEEDED[0])
        raise unusable(model, f"can't be fetched: {told}") from error


def _cached(model: str, revision: str | None) -> Path | None:
    """Return the folder of an earlier download, or None if there is none that is complete."""
    folder = mk.hub.kept(model, revision, WANTED)
    return folder if folder and _is_complete(folder) else None


def _is_complete(folder: Path) -> bool:
    """Tell whether a download was not cut off."""
    index = folder / WEIGHTS[1]
    parts = {WEIGHTS[0]}
    if index.is_file():
        parts = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    return all((folder / name).is_file() for name in (*NEEDED, *parts))
