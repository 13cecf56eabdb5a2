"""Music in large files: tar shards and data sets of Hugging Face; the hook that offers them."""

from __future__ import annotations

from collections.abc import Sequence

import mousai_kit.api as mk


@mk.hookimpl
def mousai_kit_components() -> Sequence[type[mk.Component]]:
    """Return datasets."""
    from mousai_kit_shards.hugging_face import HuggingFace
    from mousai_kit_shards.web_dataset import WebDataset

    return [HuggingFace, WebDataset]
