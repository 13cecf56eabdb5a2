"""Studies for mousai-kit: a sampler, a text encoder and a stage."""

from collections.abc import Sequence

import mousai_kit.api as mk


@mk.hookimpl
def mousai_kit_samplers() -> Sequence[type[mk.Sampler]]:
    """Return samplers."""
    from mousai_kit_etude.kutta import Kutta

    return [Kutta]


@mk.hookimpl
def mousai_kit_text_encoders() -> Sequence[type[mk.TextEncoder]]:
    """Return text encoders."""
    from mousai_kit_etude.ngrams import NGrams

    return [NGrams]


@mk.hookimpl
def mousai_kit_stages() -> Sequence[type[mk.Stage]]:
    """Return stages."""
    from mousai_kit_etude.flow import RectifiedFlow

    return [RectifiedFlow]
