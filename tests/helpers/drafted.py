"""A recipe whose autoencoder refines a draft that is learned before; it trains in seconds."""

from __future__ import annotations

import nano

DRAFT = """\
      draft:
        use: envelope-autoencoder
        encoder: {use: band-split, hop: 128, low: 512, high: 256, crossover: 2000.0, bands: 8,
                  channels: 16, latent_channels: 4}
        low: 512
        high: 256
        crossover: 2000.0
        bands: 8
        channels: 16
        low_rounds: 2
        high_rounds: 2
      levels: 0.5
"""
FIRST = """\
    first:
      draft: {steps: 4, batch: 4, length: 4096, workers: 0, validate_every: 2, checkpoint_every: 2}
"""
_ENCODER = nano.RECIPE[nano.RECIPE.index("      encoder:") : nano.RECIPE.index("      unet:")]
_WITH_DRAFT = nano.RECIPE.replace(_ENCODER, DRAFT, 1)
RECIPE = _WITH_DRAFT.replace("    train:", f"{FIRST}    train:", 1)
AUTOENCODER_ONLY = RECIPE[: RECIPE.index("  generator:")]


def system(*overrides, text=AUTOENCODER_ONLY, folder="runs/nano"):
    """Return a system in a folder that exists, not loaded."""
    return nano.system(*overrides, text=text, folder=folder)
