"""A diffusion transformer in the place of the U-Net: the hook that offers it."""

from __future__ import annotations

from collections.abc import Sequence

import mousai_kit.api as mk


@mk.hookimpl
def mousai_kit_components() -> Sequence[type[mk.Component]]:
    """Return networks that denoise."""
    from mousai_kit_dit.dit import DiT1d

    return [DiT1d]
