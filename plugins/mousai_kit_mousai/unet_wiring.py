"""What a U-Net is built for and what it is given: refused where they do not agree."""

from __future__ import annotations

from torch import Tensor

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


def check_given(what: str, unit: str, size: int, given: Tensor | None, dim: int) -> None:
    """Raise where a conditioning of `size` along `dim` (0: none) is needed and not given so."""
    found = 0 if given is None else given.shape[dim]
    if found == size:
        return
    needs = f"needs {what} {size} {unit}" if size else f"takes no {what.split()[1]}"
    raise mk.MousaiError(f"unet1d: {needs}, but {found or 'none'} came")
