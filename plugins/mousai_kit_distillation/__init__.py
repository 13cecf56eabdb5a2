"""Distillation: a stage that generates in a few steps what its teacher makes in many: the hook."""

from __future__ import annotations

from collections.abc import Sequence

import mousai_kit.api as mk


@mk.hookimpl
def mousai_kit_components() -> Sequence[type[mk.Component]]:
    """Return the stage and the sampler that it generates with."""
    from mousai_kit_distillation.distilled import Distilled
    from mousai_kit_distillation.few_step import FewStep

    return [Distilled, FewStep]
