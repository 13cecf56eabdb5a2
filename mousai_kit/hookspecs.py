"""What a plug-in may offer: one hook per kind, each returning component classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from mousai_kit.interfaces import (
        Dataset,
        Domain,
        Metric,
        Sampler,
        Schedule,
        SpectralEncoder,
        Stage,
        TextEncoder,
        UNet,
        WeightFormat,
    )

GROUP = "mousai_kit.v1"
"""The entry-point group of plug-ins; its name is the API's version."""

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)

HOOKS = {
    "text_encoder": "mousai_kit_text_encoders",
    "spectral_encoder": "mousai_kit_spectral_encoders",
    "unet": "mousai_kit_unets",
    "schedule": "mousai_kit_schedules",
    "sampler": "mousai_kit_samplers",
    "domain": "mousai_kit_domains",
    "stage": "mousai_kit_stages",
    "dataset": "mousai_kit_datasets",
    "metric": "mousai_kit_metrics",
    "weight_format": "mousai_kit_weight_formats",
}
"""The hook of each kind."""


@hookspec
def mousai_kit_text_encoders() -> Sequence[type[TextEncoder]]:
    """Return text encoders."""
    return ()


@hookspec
def mousai_kit_spectral_encoders() -> Sequence[type[SpectralEncoder]]:
    """Return spectral encoders."""
    return ()


@hookspec
def mousai_kit_unets() -> Sequence[type[UNet]]:
    """Return U-Nets."""
    return ()


@hookspec
def mousai_kit_schedules() -> Sequence[type[Schedule]]:
    """Return schedules."""
    return ()


@hookspec
def mousai_kit_samplers() -> Sequence[type[Sampler]]:
    """Return samplers."""
    return ()


@hookspec
def mousai_kit_domains() -> Sequence[type[Domain]]:
    """Return domains."""
    return ()


@hookspec
def mousai_kit_stages() -> Sequence[type[Stage]]:
    """Return stages."""
    return ()


@hookspec
def mousai_kit_datasets() -> Sequence[type[Dataset]]:
    """Return datasets."""
    return ()


@hookspec
def mousai_kit_metrics() -> Sequence[type[Metric]]:
    """Return metrics."""
    return ()


@hookspec
def mousai_kit_weight_formats() -> Sequence[type[WeightFormat]]:
    """Return weight formats."""
    return ()
