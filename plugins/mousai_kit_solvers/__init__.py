"""Solvers of second order, for music in fewer evaluations of the network: the hooks."""

from __future__ import annotations

from collections.abc import Sequence

import mousai_kit.api as mk


@mk.hookimpl
def mousai_kit_samplers() -> Sequence[type[mk.Sampler]]:
    """Return samplers."""
    from mousai_kit_solvers.dpmpp import DPMSolverPlusPlus2M

    return [DPMSolverPlusPlus2M]
