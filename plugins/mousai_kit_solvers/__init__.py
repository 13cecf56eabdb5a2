"""Solvers of second order, for music in fewer evaluations of the network: the hook."""

from __future__ import annotations

from collections.abc import Sequence

import mousai_kit.api as mk


@mk.hookimpl
def mousai_kit_components() -> Sequence[type[mk.Component]]:
    """Return schedules, for a sampler's `levels`, and samplers."""
    from mousai_kit_solvers.angle import Angle2M
    from mousai_kit_solvers.dpmpp import DPMSolverPlusPlus2M, DPMSolverPlusPlus2MSDE
    from mousai_kit_solvers.heun import Heun
    from mousai_kit_solvers.spacings import CosineSpaced, Karras, UniformLogSNR

    return [
        CosineSpaced,
        Karras,
        UniformLogSNR,
        Angle2M,
        DPMSolverPlusPlus2M,
        DPMSolverPlusPlus2MSDE,
        Heun,
    ]
