"""A publication in a folder: there whole or not at all, and never over what is none."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from mousai_kit.cli.publishing.publisher import CREDITS, Publisher
from mousai_kit.core.errors import RequestError, escape_control_chars
from mousai_kit.core.files import PART, check_folder, sync_folder
from mousai_kit.core.packaged import CARD, RECIPE, WEIGHTS
from mousai_kit.runs.model_card import README, card_in, is_ours

FILES = (RECIPE, CARD, README, CREDITS)
"""What a publication has beside the weights of its stages."""


def publish_to_folder(publisher: Publisher, out: Path) -> list[Path]:
    """Write a publication into a folder, in place of an earlier one; return its files.

    RequestError where something else is there: nothing of it is touched. While it is written, it
    lies beside under a name with a dot before it.
    """
    check_replaceable(out, publisher.folder.path)
    place = out.resolve()
    part, old = (place.with_name(f".{place.name}{suffix}") for suffix in (PART, ".old"))
    _remove(part, old)
    part.mkdir(parents=True)
    try:
        publisher.write(part, card=CARD, called=place.name)
        if place.exists():
            place.rename(old)
        part.rename(place)
        sync_folder(place.parent)
    finally:
        if old.exists() and not place.exists():
            old.rename(place)
        _remove(part, old)
    return sorted(path for path in out.rglob("*") if path.is_file())


def check_replaceable(out: Path, run: Path) -> None:
    """Raise RequestError where a folder holds anything but an earlier publication."""
    check_folder(out)
    for folder, what in {run: "the run's own folder", Path(): "where we stand"}.items():
        if out.resolve() in (folder.resolve(), *folder.resolve().parents):
            raise RequestError.about(out, f"is {what}, or holds it; name another folder with --to")
    if not out.is_dir():
        return
    there = [str(path.relative_to(out)) for path in sorted(out.rglob("*")) if not path.is_dir()]
    if odd := others(there):
        told = f"is no earlier publication, as it holds '{odd[0]}'; name another folder with --to"
        raise RequestError.about(out, escape_control_chars(told))
    card = card_in(out)
    if there and (card is None or not is_ours(card.read_text("utf-8", errors="replace"))):
        told = "is no earlier publication: it has no card of one; name another folder with --to"
        raise RequestError.about(out, told)


def others(files: Iterable[str]) -> list[str]:
    """Return those of a folder's files, by their path in it, that no publication has."""
    return [
        file
        for file in files
        if file not in FILES and not (file.count("/") == 1 and file.endswith(f"/{WEIGHTS}"))
    ]


def _remove(*folders: Path) -> None:
    for folder in folders:
        with suppress(FileNotFoundError):
            shutil.rmtree(folder)
