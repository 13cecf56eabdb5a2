"""The authors' own packages: how audio-diffusion-pytorch 0.1.3 names what both stages learn."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import cast

import torch
from torch import Tensor

import mousai_kit.api as mk
from mousai_kit_mousai.archinet.names import encoder_pairs, unet_pairs
from mousai_kit_mousai.archinet.support import (
    Fault,
    unsupported_autoencoder_options,
    unsupported_generator_options,
)
from mousai_kit_mousai.diffusion_autoencoder import DiffusionAutoencoder
from mousai_kit_mousai.encoders import Magnitude, Mel
from mousai_kit_mousai.layers.conv_encoder import ConvEncoderOptions
from mousai_kit_mousai.layers.spectrum import LogMelSpectrum, MagnitudeSpectrum
from mousai_kit_mousai.text_to_latent import TextToLatent
from mousai_kit_mousai.unet_options import UNet1dOptions

MODEL = ("net.", "diffusion.net.", "sampler.net.")
"""Where a model of theirs names its one network: three times."""
ALONE = ("",)
"""Where the network is that was saved without its model."""


class Archinet(mk.WeightFormat):
    """The Mousai authors' packages: DiffusionAE and DiffusionModel of audio-diffusion-pytorch."""

    name = "archinet"

    def faults(self, model: mk.Use[mk.Stage]) -> Iterator[Fault]:
        """Yield (place, what is wrong) for each option that their networks do not have."""
        match model.options:
            case DiffusionAutoencoder.Options() as options:
                yield from unsupported_autoencoder_options(options)
            case TextToLatent.Options() as options:
                yield from unsupported_generator_options(options)
            case _:
                yield ("use",), "archinet knows 'diffusion-autoencoder' and 'text-to-latent' only"

    def layouts(self, model: mk.Use[mk.Stage], stage: mk.Stage) -> Sequence[mk.TensorNames]:
        """Return how they name the stage's tensors, the usual way first."""
        known = stage.state_dict().keys()
        match model.options:
            case DiffusionAutoencoder.Options() as options:
                return [_autoencoder(options, known, stage.input_space.sample_rate)]
            case TextToLatent.Options() as options:
                unet = cast("UNet1dOptions", options.unet.options)
                return [
                    _generator(unet, known, stage.input_space.channels, places=places, text=text)
                    for places in (MODEL, ALONE)
                    for text in (False, True)
                ]
            case _:
                return []


def within(
    pairs: Iterable[mk.NamePair], known: Collection[str], ours: str, places: Iterable[str]
) -> list[mk.NamePair]:
    """Return the pairs of a part of ours, wherever theirs is, of those of our tensors there are."""
    return [
        mk.NamePair(ours + pair.ours, place + pair.theirs, pair.conv1x1)
        for pair in pairs
        for place in places
        if ours + pair.ours in known
    ]


def spectrum_constants(encoder: mk.Options, sample_rate: int) -> dict[str, Tensor]:
    """Return what their encoder keeps of its spectrum, which is never learned."""
    with torch.device("cpu"):
        match encoder:
            case Magnitude.Options(n_fft=n_fft, hop_length=hop):
                spectrum = MagnitudeSpectrum(n_fft=n_fft, hop_length=hop, log=False)
                return {"stft.window": spectrum.window}
            case Mel.Options(n_fft=n_fft, hop_length=hop, mels=mels):
                bands = LogMelSpectrum(
                    n_fft=n_fft, hop_length=hop, mels=mels, sample_rate=sample_rate
                )
                return {
                    "mel.to_spectrogram.window": bands.window,
                    "mel.to_mel_scale.fb": bands.bands.T,
                }
            case _:
                return {}


def _autoencoder(
    options: DiffusionAutoencoder.Options, known: Collection[str], sample_rate: int
) -> mk.TensorNames:
    """Return how a DiffusionAE names our autoencoder."""
    unet = cast("UNet1dOptions", options.unet.options)
    encoder = cast("ConvEncoderOptions", options.encoder.options)
    pairs = within(unet_pairs(unet), known, "unet.", MODEL)
    pairs += within(encoder_pairs(encoder), known, "encoder.", ("encoder.",))
    constants = spectrum_constants(encoder, sample_rate)
    return mk.TensorNames(
        pairs, constants={f"encoder.{key}": tensor for key, tensor in constants.items()}
    )


def _generator(
    options: UNet1dOptions,
    known: Collection[str],
    channels: int,
    *,
    places: Sequence[str],
    text: bool,
) -> mk.TensorNames:
    """Return how a DiffusionModel with guidance names our generator.

    With `text` it holds a T5 as well, between the noise level's layers and the null embedding.
    """
    around = "blocks.2." if options.transform is None else "blocks.2.blocks.2."
    guided = "blocks.1." if text else ""
    null = mk.NamePair("null", f"{around}{guided}blocks.0.blocks.0.weight")
    pairs = within(unet_pairs(options, inside=f"{guided}blocks.1."), known, "unet.", places)
    return mk.TensorNames(
        pairs + within([null], known, "", places),
        defaults={"mean": torch.zeros(channels, 1), "deviation": torch.ones(channels, 1)},
        foreign=tuple(f"{place}{around}blocks.0." for place in places) if text else (),
    )
