"""What a plug-in may offer: components of any kinds, and trained systems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from mousai_kit.core.component import Component

GROUP = "mousai_kit.v1"
"""The entry-point group of plug-ins; its name is the API's version."""
COMPONENTS = "mousai_kit_components"
"""The hook of components."""
TRAINED = "mousai_kit_trained"
"""The hook of trained systems."""
HOOKS = (COMPONENTS, TRAINED)

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@hookspec
def mousai_kit_components() -> Sequence[type[Component]]:
    """Return component classes of any kinds: each knows its own."""
    return ()


@hookspec
def mousai_kit_trained() -> Mapping[str, Path]:
    """Return trained systems by name: folders with a recipe, weights and a card (`publish`)."""
    return {}
