"""Keeping: latents that are there are used, those that are missing are made, all are verified."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from mousai_kit.console import Screen
from mousai_kit.latents.encoding import Encoding
from mousai_kit.latents.reading import LatentClips
from mousai_kit.latents.verifying import verify
from mousai_kit.memory import check_room
from mousai_kit.ranks import Ranks


def keep(
    encoding: Encoding,
    screen: Screen,
    report: Callable[[str], None],
    ranks: Ranks | None = None,
) -> LatentClips | None:
    """Return the latents of an encoding, made where they are not there; None where none can be.

    RequestError, before anything is made, where the disk would not hold them. TrainingError where
    what is there is not what the music gives. `report` is told each clip that is left out.
    Processes that work together share what is missing.
    """
    ranks = ranks or Ranks()
    label = f"latents for {encoding.name} ({encoding.split})"
    if changed := encoding.changed:
        screen.say(f"{label}: {changed}; all is encoded anew")
    with screen.bar(label, encoding.layout.groups) as bar:
        missing = encoding.missing(bar.advance, screen.say) if ranks.main else []
        missing = ranks.gathered(missing)[0]
        check_room_for(encoding)
        encoding.encode(ranks.share(missing), lambda groups: bar.advance(groups * ranks.own.count))
    encoding.made = sum(ranks.gathered(encoding.made))
    kept = ranks.in_turn(partial(encoding.finish, report))
    if kept is not None and ranks.main:
        verify(encoding, kept)
    if ranks.main:
        _remove_earlier(encoding.folder, screen)
    return kept


def check_room_for(*encodings: Encoding) -> None:
    """Raise RequestError where the disk would not hold what is missing of some encodings."""
    first = encodings[0]
    check_room(
        first.folder,
        sum(it.needed_bytes(range(it.layout.shards)) for it in encodings),
        f"the latents that '{first.name}' learns from",
        f"lower its `passes` (now {first.layout.passes}), or use another folder with --out",
    )


def _remove_earlier(folder: Path, screen: Screen) -> None:
    """Remove the one file in which earlier versions kept what the folder has now."""
    earlier = folder.with_suffix(".safetensors")
    if earlier.is_file():
        earlier.unlink()
        screen.say(f"{earlier}: removed; an earlier version kept there what is now in {folder}")
