"""Moûsai's parts (Schneider et al., 2023, arXiv 2301.11757): the hook that offers them."""

from __future__ import annotations

from collections.abc import Sequence

import mousai_kit.api as mk


@mk.hookimpl
def mousai_kit_components() -> Sequence[type[mk.Component]]:
    """Return the components, kind by kind."""
    from mousai_kit_mousai.archinet.format import Archinet
    from mousai_kit_mousai.band_split import BandSplit
    from mousai_kit_mousai.diffusion_autoencoder import DiffusionAutoencoder
    from mousai_kit_mousai.domains import MDCT, Waveform
    from mousai_kit_mousai.encoders import Magnitude, Mel
    from mousai_kit_mousai.envelope_autoencoder import EnvelopeAutoencoder
    from mousai_kit_mousai.folder import Folder
    from mousai_kit_mousai.metrics import LogMelDistance, MultiResolutionSTFT
    from mousai_kit_mousai.mix import Mix
    from mousai_kit_mousai.musical_metrics import Attacks, Lines, Pitch
    from mousai_kit_mousai.native_format import NativeFormat
    from mousai_kit_mousai.regression_autoencoder import RegressionAutoencoder
    from mousai_kit_mousai.samplers import DDIM
    from mousai_kit_mousai.schedules import Cosine, ShiftedCosine
    from mousai_kit_mousai.t5 import T5
    from mousai_kit_mousai.t5_scratch import T5Scratch
    from mousai_kit_mousai.text_to_latent import TextToLatent
    from mousai_kit_mousai.unet import UNet1d

    return [
        *(T5, T5Scratch),
        *(Magnitude, Mel, BandSplit),
        UNet1d,
        *(Cosine, ShiftedCosine),
        DDIM,
        *(Waveform, MDCT),
        *(DiffusionAutoencoder, EnvelopeAutoencoder, RegressionAutoencoder, TextToLatent),
        *(Folder, Mix),
        *(LogMelDistance, MultiResolutionSTFT, Lines, Pitch, Attacks),
        *(Archinet, NativeFormat),
    ]
