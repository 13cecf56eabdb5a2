"""Packaged: trained systems that come with a package, each a folder under a name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mousai_kit.core.component import NAME
from mousai_kit.core.errors import join_quoted

KIND = "trained"
"""What `ls` and `plugins` call them, beside the kinds of components."""
RECIPE = "recipe.yaml"
CARD = "card.md"
OURS = {"starter": "mousai-kit"}
"""Packages that bring trained systems which shipped recipes name, for those who lack the files."""
WEIGHTS = "weights.safetensors"
"""The file of a stage's weights, in a folder of the stage's name."""


@dataclass(frozen=True, slots=True)
class Packaged:
    """A trained system of a plug-in: what a run folder is, but never written to."""

    name: str
    folder: Path
    owner: str


def system_faults(name: object, folder: object) -> Iterator[str]:
    """Yield what is wrong with what a plug-in offers as a trained system; no weights are read."""
    if not (isinstance(name, str) and NAME.fullmatch(name)):
        yield f"needs a name of lower-case words joined by '-' (got {name!r})"
    if not isinstance(folder, Path):
        yield f"must be given as the pathlib.Path of its folder (got {folder!r})"
    elif not folder.is_dir():
        yield f"there is no folder '{folder}'; correct the path, or put the files into the package"
    else:
        missing = [item for item in (RECIPE, CARD) if not (folder / item).is_file()]
        missing += [] if any(folder.glob(f"*/{WEIGHTS}")) else [f"<stage>/{WEIGHTS}"]
        if missing:
            lacking = join_quoted(missing)
            yield f"its folder lacks {lacking}; `mousai-kit publish` writes all of them"
