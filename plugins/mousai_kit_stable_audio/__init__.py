"""Stable Audio's parts (Evans et al., 2024, arXiv 2407.14358) and its weights: the hook."""

from __future__ import annotations

from collections.abc import Sequence

import mousai_kit.api as mk


@mk.hookimpl
def mousai_kit_components() -> Sequence[type[mk.Component]]:
    """Return an autoencoder, a network that denoises, what steers it, and a weight format."""
    from mousai_kit_stable_audio.autoencoder import VariationalAutoencoder
    from mousai_kit_stable_audio.dit import StableAudioDiT
    from mousai_kit_stable_audio.encoder import Oobleck
    from mousai_kit_stable_audio.timing import StableAudioTiming
    from mousai_kit_stable_audio.weight_format import StableAudio

    return [Oobleck, VariationalAutoencoder, StableAudioDiT, StableAudioTiming, StableAudio]
