"""Real music and made tones that come with mousai-kit: the hook that offers them."""

from __future__ import annotations

from collections.abc import Sequence

import mousai_kit.api as mk


@mk.hookimpl
def mousai_kit_components() -> Sequence[type[mk.Component]]:
    """Return datasets."""
    from mousai_kit_clips.clips import Clips
    from mousai_kit_clips.tones import Tones

    return [Clips, Tones]
