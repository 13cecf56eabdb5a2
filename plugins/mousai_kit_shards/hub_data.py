"""Hub data: a data set of Hugging Face, from a folder or from the hub, whose code is never run."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import mousai_kit.api as mk


def library() -> Any:
    """Return the package datasets; AudioError, with what to do, where it is not installed."""
    if find_spec("datasets") is None:
        told = "needs the package datasets: pip install 'mousai-kit[datasets]'"
        raise mk.AudioError(mk.Problem("huggingface", "", told))
    import datasets

    return datasets


def from_folder(folder: Path, split: str) -> Any:
    """Return a split of what `save_to_disk` wrote; AudioError where it can't be read."""
    if not folder.is_dir():
        raise mk.audio_error(folder, "there is no such folder")
    datasets = library()
    try:
        found = datasets.load_from_disk(str(folder))
    except Exception as error:  # of whatever lies there
        told = f"is no data set that save_to_disk wrote ({mk.error_summary(error)})"
        raise mk.audio_error(folder, told) from None
    if isinstance(found, datasets.DatasetDict):
        if split not in found:
            raise mk.audio_error(folder, f"has no split '{split}'{instead(split, found)}")
        found = found[split]
    for file in found.cache_files:
        if not lies_within(Path(file["filename"]), folder):
            raise mk.audio_error(
                folder, f"lies in part outside of it ({file['filename']}); copy it in"
            )
    return found


def from_hub(name: str, *, subset: str | None, split: str, revision: str) -> Any:
    """Return a split of a data set on the hub, which is fetched where it is not kept here.

    AudioError says in one line why it can't be had.
    """
    datasets, kept = library(), _cached_path(subset, revision)
    if kept is None and (unasked := _why_unreachable(name, revision)):
        raise mk.audio_error(Path(name), f"can't be fetched ({unasked})")
    try:
        if kept is None:
            return datasets.load_dataset(name, subset, split=split, revision=revision)
        return _reopen(name, kept).as_dataset(split)
    except Exception as error:  # of whatever files are in it
        raise mk.audio_error(Path(name), f"can't be used ({mk.error_summary(error)})") from None


def lies_within(path: Path, folder: Path) -> bool:
    """Return whether a path, whatever links it follows, ends in a folder."""
    return path.resolve().is_relative_to(folder.resolve())


def instead(word: str, known: Iterable[str]) -> str:
    """Return what else there is, the nearest of it first."""
    names = ", ".join(f"'{name}'" for name in known)
    return mk.did_you_mean(word, known) or f"; it has {names}"


def _cached_path(subset: str | None, revision: str) -> Path | None:
    """Return where the package keeps a commit of a data set, as far as that is certain."""
    cache = Path(library().config.HF_DATASETS_CACHE)
    found = [path for path in cache.glob(f"*/*/*/{revision}") if subset in (None, path.parts[-3])]
    return found[0] if len(found) == 1 else None


def _reopen(name: str, kept: Path) -> Any:
    """Return the builder of a data set that is kept: it asks for no network."""
    from datasets.packaged_modules.cache.cache import Cache

    config, version, revision = kept.parts[-3:]
    return Cache(
        str(kept.parents[3]),
        dataset_name=name.rpartition("/")[2],
        config_name=config,
        version=version,
        hash=revision,
        repo_id=name,
    )


def _why_unreachable(name: str, revision: str) -> str:
    """Return why the hub could not be asked for a data set; empty where it has it."""
    from huggingface_hub import HfApi

    try:
        HfApi().dataset_info(name, revision=revision, timeout=mk.hub.TIMEOUT)
    except Exception as error:  # of the network, of every kind
        return mk.hub.explain_hub_error(error, "data", what="data set")
    return ""
