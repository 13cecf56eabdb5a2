"""Studies for mousai-kit: a sampler, a text encoder and a stage."""

from collections.abc import Sequence

import mousai_kit.api as mk


@mk.hookimpl
def mousai_kit_components() -> Sequence[type[mk.Component]]:
    """Return the components."""
    from mousai_kit_etude.flow import RectifiedFlow
    from mousai_kit_etude.kutta import Kutta
    from mousai_kit_etude.ngrams import NGrams

    return [NGrams, Kutta, RectifiedFlow]
