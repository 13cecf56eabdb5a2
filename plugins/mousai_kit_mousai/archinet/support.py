"""What our stages can be and the authors' packages can't: found before weights are read."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any, TypeAlias

import mousai_kit.api as mk
from mousai_kit_mousai.diffusion_autoencoder import DiffusionAutoencoder
from mousai_kit_mousai.domains import Waveform
from mousai_kit_mousai.encoders import Magnitude, Mel
from mousai_kit_mousai.layers.conv_encoder import ConvEncoderOptions
from mousai_kit_mousai.schedules import Cosine
from mousai_kit_mousai.t5 import T5
from mousai_kit_mousai.text_to_latent import TextToLatent
from mousai_kit_mousai.unet import UNet1d
from mousai_kit_mousai.unet_options import UNet1dOptions

Fault: TypeAlias = tuple[tuple[str, ...], str]


def unsupported_autoencoder_options(options: DiffusionAutoencoder.Options) -> Iterator[Fault]:
    """Yield what a DiffusionAE can't be."""
    yield from _other(options.domain, ("domain",), Waveform)
    yield from _other(options.encoder, ("encoder",), Magnitude, Mel)
    if options.envelope is not None:
        yield ("envelope",), "archinet has none; it must be null"
    match options.encoder.options:
        case ConvEncoderOptions(final_norm=True):
            yield ("encoder", "final_norm"), "archinet has none; it must be false"
    yield from _unsupported_common_options(options.unet, options.schedule)
    match options.unet.options, options.encoder.options:
        case UNet1dOptions() as unet, ConvEncoderOptions() as encoder:
            yield from _unsupported_injections(unet, encoder)


def unsupported_generator_options(options: TextToLatent.Options) -> Iterator[Fault]:
    """Yield what a DiffusionModel can't be."""
    yield from _other(options.text, ("text",), T5)
    if options.without_text != "learned":
        yield ("without_text",), "archinet learns a null embedding; it must be 'learned'"
    yield from _unsupported_common_options(options.unet, options.schedule)


def _unsupported_common_options(
    unet: mk.Use[mk.UNet], schedule: mk.Use[mk.Schedule]
) -> Iterator[Fault]:
    yield from _other(unet, ("unet",), UNet1d)
    yield from _other(schedule, ("schedule",), Cosine)
    match unet.options:
        case UNet1dOptions(head=head) if head != "plain":
            yield ("unet", "head"), f"archinet has no '{head}' head; it must be 'plain'"


def _unsupported_injections(unet: UNet1dOptions, encoder: ConvEncoderOptions) -> Iterator[Fault]:
    """Yield why a DiffusionAE could not hear the latent as the network does."""
    place = ("unet", "context_injections")
    depths = [depth for depth, injected in enumerate(unet.context_injections) if injected]
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
