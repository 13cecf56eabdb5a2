"""The Hugging Face hub: what is kept here of a model, what is fetched, and why it can't be.

Where a pretrained network lies: in a folder of the user's, or on the Hugging Face hub.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from mousai_kit.core.errors import error_summary

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
TIMEOUT = 5.0
"""Seconds to wait for the hub's first answer: without a network one should know soon."""


def is_folder(model: str) -> bool:
    """Tell a folder from the name of a model on the hub."""
    return not HUB_ID.fullmatch(model) or Path(model).is_dir()


def find_cached(model: str, revision: str | None, wanted: Sequence[str]) -> Path | None:
    """Return the folder of an earlier download, maybe of parts, or None if there is none."""
    from huggingface_hub.errors import EntryNotFoundError

    try:
        return _snapshot(model, revision, wanted, local=True)
    except EntryNotFoundError:
        return None


def download(model: str, revision: str | None, wanted: Sequence[str]) -> Path:
    """Return the folder of a fresh download, which shows its progress.

    `wanted` are names, or patterns; the first is a file that must be there. The hub's client tries
    for a minute to reach it, so one short question comes first.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    get_hf_file_metadata(hf_hub_url(model, wanted[0], revision=revision), timeout=TIMEOUT)
    return _snapshot(model, revision, wanted, local=False)


def list_repo_files(model: str, revision: str | None) -> tuple[str, list[str]]:
    """Return the commit that a revision means now, and the names of its files."""
    from huggingface_hub import HfApi

    info = HfApi().model_info(model, revision=revision, timeout=TIMEOUT)
    assert info.sha is not None
    return info.sha, [sibling.rfilename for sibling in info.siblings or ()]


def explain_hub_error(error: Exception, needed: str, *, what: str = "model") -> str:
    """Return in a few words why what has the file `needed` could not be fetched."""
    from huggingface_hub import constants, errors

    reasons = {
        errors.OfflineModeIsEnabled: "HF_HUB_OFFLINE is set",
        errors.GatedRepoError: "the hub asks to log in for it",
        errors.RepositoryNotFoundError: f"the hub has no such {what}",
        errors.RevisionNotFoundError: "the hub has no such revision of it",
        errors.RemoteEntryNotFoundError: f"it has no {needed}",
        OSError: error_summary(error),
        ValueError: error_summary(error),
    }
    unreachable = f"{constants.ENDPOINT} can't be reached"
    return next((why for kind, why in reasons.items() if isinstance(error, kind)), unreachable)


def _snapshot(model: str, revision: str | None, wanted: Sequence[str], *, local: bool) -> Path:
    """Return the folder where the hub's client keeps what is wanted of a model."""
    from huggingface_hub import snapshot_download

    return Path(
        snapshot_download(
            model, revision=revision, allow_patterns=list(wanted), local_files_only=local
        )
    )


NEEDED = ("config.json", "tokenizer.json")
"""Files of a pretrained network for text beside its weights."""
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
"""Its weights: in one file, or the index of several."""
PARTS = "model-*-of-*.safetensors"


def folder_of(model: str, revision: str | None, needed: Sequence[str] = NEEDED) -> Path:
    """Return the folder of a model's files, downloaded if it is on the hub and not here yet.

    `needed` beside the weights; the first must be there. Whatever the hub's client and its network
    library raise, within seconds, where they can't be had.
    """
    if is_folder(model):
        return Path(model).expanduser()
    wanted = (*needed, *WEIGHTS, PARTS)
    folder = find_cached(model, revision, wanted)
    return folder if folder and is_complete(folder, needed) else download(model, revision, wanted)


def is_complete(folder: Path, needed: Sequence[str] = NEEDED) -> bool:
    """Tell whether a download was not cut off."""
    index = folder / WEIGHTS[1]
    parts = {WEIGHTS[0]}
    if index.is_file():
        parts = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    return all((folder / name).is_file() for name in (*needed, *parts))


def lacking(folder: Path, needed: Sequence[str] = NEEDED) -> str:
    """Return what a folder lacks, in words; empty where all is there."""
    missing = [name for name in needed if not (folder / name).is_file()]
    if not missing and not any((folder / name).is_file() for name in WEIGHTS):
        missing = [WEIGHTS[0]]
    return " and ".join(missing)
