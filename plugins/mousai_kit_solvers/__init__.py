"""Solvers of second order, for music in fewer evaluations of the network: the hooks."""

from __future__ import annotations

from collections.abc import Sequence

import mousai_kit.api as mk


@mk.hookimpl
def mousai_kit_samplers() -> Sequence[type[mk.Sampler]]:
    """Return samplers."""
    from mousai_kit_solvers.angle import Angle2M
    from mousai_kit_solvers.dpmpp import DPMSolverPlusPlus2M, DPMSolverPlusPlus2MSDE
    from mousai_kit_solvers.heun import Heun

    return [Angle2M, DPMSolverPlusPlus2M, DPMSolverPlusPlus2MSDE, Heun]


@mk.hookimpl
def mousai_kit_schedules() -> Sequence[type[mk.Schedule]]:
    """Return schedules, for a sampler's `levels`."""
    from mousai_kit_solvers.spacings import CosineSpaced, Karras, UniformLogSNR

    return [CosineSpaced, Karras, UniformLogSNR]
