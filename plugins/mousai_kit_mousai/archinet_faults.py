"""What our stages can be and the authors' packages can't: found before weights are read."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any, TypeAlias

import mousai_kit.api as mk
from mousai_kit_mousai.autoencoder import DiffusionAutoencoder
from mousai_kit_mousai.encoders import Magnitude, Mel, PyramidOptions
from mousai_kit_mousai.generator import TextToLatent
from mousai_kit_mousai.schedules import Cosine
from mousai_kit_mousai.t5 import T5
from mousai_kit_mousai.unet import UNet1d
from mousai_kit_mousai.unet_options import UNet1dOptions
from mousai_kit_mousai.waveform import Waveform

Fault: TypeAlias = tuple[tuple[str, ...], str]


def autoencoder_faults(options: DiffusionAutoencoder.Options) -> Iterator[Fault]:
    """Yield what a DiffusionAE can't be."""
    yield from _other(options.domain, ("domain",), Waveform)
    yield from _other(options.encoder, ("encoder",), Magnitude, Mel)
    if options.envelope is not None:
        yield ("envelope",), "archinet has none; it must be null"
    match options.encoder.options:
        case PyramidOptions(final_norm=True):
            yield ("encoder", "final_norm"), "archinet has none; it must be false"
    yield from _common_faults(options.unet, options.schedule)
    match options.unet.options, options.encoder.options:
        case UNet1dOptions() as unet, PyramidOptions() as encoder:
            yield from _injection_faults(unet, encoder)


def generator_faults(options: TextToLatent.Options) -> Iterator[Fault]:
    """Yield what a DiffusionModel can't be."""
    yield from _other(options.text, ("text",), T5)
    yield from _common_faults(options.unet, options.schedule)


def _common_faults(unet: mk.Use[mk.UNet], schedule: mk.Use[mk.Schedule]) -> Iterator[Fault]:
    yield from _other(unet, ("unet",), UNet1d)
    yield from _other(schedule, ("schedule",), Cosine)
    match unet.options:
        case UNet1dOptions(head=head) if head != "plain":
            yield ("unet", "head"), f"archinet has no '{head}' head; it must be 'plain'"


def _injection_faults(unet: UNet1dOptions, encoder: PyramidOptions) -> Iterator[Fault]:
    """Yield why a DiffusionAE could not hear the latent as the network does."""
    place = ("unet", "injections")
    depths = [depth for depth, injected in enumerate(unet.injections) if injected]
    if len(depths) != 1:
        yield place, f"archinet hears the latent at one depth (got {len(depths)})"
        return
    stride = unet.transform.stride if unet.transform else 1
    samples = stride * prod(unet.factors[: depths[0] + 1])
    match encoder:
        case Magnitude.Options(hop_length=hop) | Mel.Options(hop_length=hop):
            latent = hop * prod(encoder.factors)
            if samples != latent:
                rule = f"archinet hears the latent where a frame is {latent} samples, as its own is"
                yield place, f"{rule} (got {samples} at depth {depths[0]})"


def _other(use: mk.Use[Any], place: tuple[str, ...], *known: type[mk.Component]) -> Iterator[Fault]:
    """Yield that a part is none of the known ones."""
    if use.component not in known:
        names = " or ".join(f"'{component.name}'" for component in known)
        yield place, f"archinet has no '{use.component.name}'; it must be {names}"
