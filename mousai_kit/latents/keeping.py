"""Keeping: latents that are there are used, those that are missing are made, all are verified."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mousai_kit.console import Screen
from mousai_kit.latents.encoding import Encoding
from mousai_kit.latents.reading import LatentClips
from mousai_kit.latents.verifying import verify
from mousai_kit.memory import check_room


def keep(encoding: Encoding, screen: Screen, report: Callable[[str], None]) -> LatentClips | None:
    """Return the latents of an encoding, made where they are not there; None where none can be.

    RequestError, before anything is made, where the disk would not hold them. TrainingError where
    what is there is not what the music gives. `report` is told each clip that is left out.
    """
    label = f"encoding for {encoding.name} ({encoding.split})"
    if changed := encoding.changed:
        screen.say(f"{label}: {changed}; all is encoded anew")
    with screen.bar(label, encoding.layout.groups) as bar:
        missing = encoding.missing(bar.advance, screen.say)
        _check_room(encoding, missing)
        encoding.encode(missing, bar.advance)
    kept = encoding.finish(report)
    if kept is not None:
        verify(encoding, kept)
    return kept


def _check_room(encoding: Encoding, numbers: Sequence[int]) -> None:
    passes = encoding.layout.passes
    check_room(
        encoding.folder,
        encoding.needed_bytes(numbers),
        f"the latents that {encoding.name} learns from ({encoding.split})",
        f"lower `passes` (now {passes}), or use another folder with --out",
    )
