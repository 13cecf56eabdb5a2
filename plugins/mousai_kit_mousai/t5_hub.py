"""Where a pretrained T5 lies: in a folder of the user's, or on the Hugging Face hub."""

from __future__ import annotations

import json
import re
from pathlib import Path

from mousai_kit_mousai.t5_network import NEEDED, WEIGHTS, first_line, unusable

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
PATIENCE = 5.0
"""Seconds to wait for the hub's first answer: without a network one should know soon."""


def is_folder(model: str) -> bool:
    """Tell a folder from the name of a model on the hub."""
    return not HUB_ID.fullmatch(model) or Path(model).is_dir()


def folder_of(model: str, revision: str | None) -> Path:
    """Return the folder of a T5's files, downloaded if it is on the hub and not here yet.

    WeightsError, within seconds, where they can't be had.
    """
    if is_folder(model):
        return Path(model).expanduser()
    try:
        return _cached(model, revision) or _downloaded(model, revision)
    except Exception as error:  # whatever the hub's client and its network library raise
        raise unusable(model, f"can't be fetched: {_reason(error)}") from error


def _cached(model: str, revision: str | None) -> Path | None:
    """Return the folder of an earlier download, or None if there is none that is complete."""
    from huggingface_hub.errors import EntryNotFoundError

    try:
        folder = _snapshot(model, revision, local=True)
    except EntryNotFoundError:
        return None
    return folder if _is_complete(folder) else None


def _is_complete(folder: Path) -> bool:
    """Tell whether a download was not cut off."""
    index = folder / WEIGHTS[1]
    parts = {WEIGHTS[0]}
    if index.is_file():
        parts = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    return all((folder / name).is_file() for name in (*NEEDED, *parts))


def _downloaded(model: str, revision: str | None) -> Path:
    """Return the folder of a fresh download, which shows its progress.

    The hub's client tries for a minute to reach it, so one short question comes first.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    get_hf_file_metadata(hf_hub_url(model, NEEDED[0], revision=revision), timeout=PATIENCE)
    return _snapshot(model, revision, local=False)


def _snapshot(model: str, revision: str | None, *, local: bool) -> Path:
    """Return the folder where the hub's client keeps a model's configuration and safetensors."""
    from huggingface_hub import snapshot_download

    wanted = [*NEEDED, *WEIGHTS, "model-*-of-*.safetensors"]
    return Path(
        snapshot_download(model, revision=revision, allow_patterns=wanted, local_files_only=local)
    )


def _reason(error: Exception) -> str:
    """Return in a few words why a model could not be fetched."""
    from huggingface_hub import constants, errors

    reasons = {
        errors.OfflineModeIsEnabled: "HF_HUB_OFFLINE is set",
        errors.GatedRepoError: "the hub asks to log in for it",
        errors.RepositoryNotFoundError: "the hub has no such model",
        errors.RevisionNotFoundError: "the hub has no such revision of it",
        errors.RemoteEntryNotFoundError: f"it has no {NEEDED[0]}",
        OSError: first_line(error),
        ValueError: first_line(error),
    }
    unreachable = f"{constants.ENDPOINT} can't be reached"
    return next((why for kind, why in reasons.items() if isinstance(error, kind)), unreachable)
