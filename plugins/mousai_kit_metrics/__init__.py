"""Embeddings of clips, and metrics of all clips that a system makes: the hook that offers them."""

from __future__ import annotations

from collections.abc import Sequence

import mousai_kit.api as mk


@mk.hookimpl
def mousai_kit_components() -> Sequence[type[mk.Component]]:
    """Return embeddings, and metrics of sets and of texts."""
    from mousai_kit_metrics.audio_tagger import AudioTagger
    from mousai_kit_metrics.clap import Clap
    from mousai_kit_metrics.clap_score import ClapScore
    from mousai_kit_metrics.frechet import FrechetDistance
    from mousai_kit_metrics.genre_confusion import GenreConfusion
    from mousai_kit_metrics.inception_score import InceptionScore
    from mousai_kit_metrics.kl_divergence import KLDivergence
    from mousai_kit_metrics.mel_statistics import MelStatistics
    from mousai_kit_metrics.nearest import NearestTrainingClip

    return [
        MelStatistics,
        Clap,
        AudioTagger,
        FrechetDistance,
        KLDivergence,
        InceptionScore,
        GenreConfusion,
        NearestTrainingClip,
        ClapScore,
    ]
