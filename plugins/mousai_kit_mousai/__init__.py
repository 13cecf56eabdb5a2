"""Moûsai's parts (Schneider et al., 2023, arXiv 2301.11757): the hooks that offer them."""

from __future__ import annotations

from collections.abc import Sequence

import mousai_kit.api as mk


@mk.hookimpl
def mousai_kit_text_encoders() -> Sequence[type[mk.TextEncoder]]:
    """Return text encoders."""
    from mousai_kit_mousai.t5 import T5
    from mousai_kit_mousai.t5_scratch import T5Scratch

    return [T5, T5Scratch]


@mk.hookimpl
def mousai_kit_spectral_encoders() -> Sequence[type[mk.SpectralEncoder]]:
    """Return spectral encoders."""
    from mousai_kit_mousai.encoders import Magnitude, Mel

    return [Magnitude, Mel]


@mk.hookimpl
def mousai_kit_unets() -> Sequence[type[mk.UNet]]:
    """Return U-Nets."""
    from mousai_kit_mousai.unet import UNet1d

    return [UNet1d]


@mk.hookimpl
def mousai_kit_schedules() -> Sequence[type[mk.Schedule]]:
    """Return schedules."""
    from mousai_kit_mousai.schedules import Cosine, ShiftedCosine

    return [Cosine, ShiftedCosine]


@mk.hookimpl
def mousai_kit_samplers() -> Sequence[type[mk.Sampler]]:
    """Return samplers."""
    from mousai_kit_mousai.samplers import DDIM

    return [DDIM]


@mk.hookimpl
def mousai_kit_domains() -> Sequence[type[mk.Domain]]:
    """Return domains."""
    from mousai_kit_mousai.mdct import MDCT
    from mousai_kit_mousai.waveform import Waveform

    return [Waveform, MDCT]


@mk.hookimpl
def mousai_kit_stages() -> Sequence[type[mk.Stage]]:
    """Return stages."""
    from mousai_kit_mousai.autoencoder import DiffusionAutoencoder
    from mousai_kit_mousai.generator import TextToLatent
    from mousai_kit_mousai.regression import RegressionAutoencoder

    return [DiffusionAutoencoder, RegressionAutoencoder, TextToLatent]


@mk.hookimpl
def mousai_kit_datasets() -> Sequence[type[mk.Dataset]]:
    """Return datasets."""
    from mousai_kit_mousai.folder import Folder

    return [Folder]


@mk.hookimpl
def mousai_kit_metrics() -> Sequence[type[mk.Metric]]:
    """Return metrics."""
    from mousai_kit_mousai.metrics import LogMelDistance, MultiResolutionSTFT

    return [LogMelDistance, MultiResolutionSTFT]


@mk.hookimpl
def mousai_kit_weight_formats() -> Sequence[type[mk.WeightFormat]]:
    """Return weight formats."""
    from mousai_kit_mousai.archinet import Archinet
    from mousai_kit_mousai.own_names import OwnNames

    return [Archinet, OwnNames]
