"""What a U-Net is built for: refused where its options and its neighbours do not agree."""

from __future__ import annotations

import mousai_kit.api as mk
from mousai_kit_mousai.unet_options import UNet1dOptions


def check_wiring(options: UNet1dOptions, context_channels: int, text_features: int) -> None:
    """Raise where the options take in what the neighbours don't give, or leave out what they do."""
    if any(options.injections) and not context_channels:
        raise mk.RecipeError("unet1d: injections need a context, and this stage gives none")
    if context_channels and not any(options.injections):
        raise mk.RecipeError("unet1d: injections must be 1 at some depth, to hear the context")
    if any(options.cross_attentions) and not text_features:
        raise mk.RecipeError("unet1d: cross_attentions need a text, and this stage gives none")
    if text_features and not any(options.cross_attentions):
        raise mk.RecipeError("unet1d: cross_attentions must be 1 at some depth, to hear the text")
