"""What a generator is told besides text: a melody, loudness, a place in a track. The hook."""

from __future__ import annotations

from collections.abc import Sequence

import mousai_kit.api as mk


@mk.hookimpl
def mousai_kit_components() -> Sequence[type[mk.Component]]:
    """Return conditioners, and the metric of how well a melody is followed."""
    from mousai_kit_conditioning.likeness import MelodyLikeness
    from mousai_kit_conditioning.loudness import Loudness
    from mousai_kit_conditioning.melody import Melody
    from mousai_kit_conditioning.timing import Timing

    return [Timing, Melody, Loudness, MelodyLikeness]
