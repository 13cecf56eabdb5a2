"""Text encoders of any family that transformers has: the hook that offers them."""

from __future__ import annotations

from collections.abc import Sequence

import mousai_kit.api as mk


@mk.hookimpl
def mousai_kit_components() -> Sequence[type[mk.Component]]:
    """Return text encoders."""
    from mousai_kit_transformers.transformer import Transformer

    return [Transformer]
