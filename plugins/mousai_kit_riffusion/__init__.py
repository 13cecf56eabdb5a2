"""Riffusion (Forsgren & Martiros, 2022): music as pictures of mel spectra. The hook."""

from __future__ import annotations

from collections.abc import Sequence

import mousai_kit.api as mk


@mk.hookimpl
def mousai_kit_components() -> Sequence[type[mk.Component]]:
    """Return a domain, a network of pictures, and the stages that make audio with them."""
    from mousai_kit_riffusion.mel_picture import MelPicture
    from mousai_kit_riffusion.riffusion import Riffusion
    from mousai_kit_riffusion.text_to_audio import TextToAudio
    from mousai_kit_riffusion.unet import UNet2d

    return [MelPicture, UNet2d, TextToAudio, Riffusion]
