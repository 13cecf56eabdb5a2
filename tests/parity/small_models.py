"""Small models, which together reach every option of both networks that the authors' have."""

from __future__ import annotations

UNET = {
    "use": "unet1d",
    "channels": [16, 32, 48],
    "factors": [1, 2, 2],
    "blocks": [1, 2, 2],
    "modulation_features": 64,
    "attention_heads": 4,
    "attention_features": 8,
}
ENCODER = {
    "use": "magnitude",
    "channels": 16,
    "multipliers": [1, 2],
    "factors": [2],
    "blocks": [2],
    "n_fft": 63,
    "hop_length": 16,
    "latent_channels": 5,
}
MEL = {**ENCODER, "use": "mel", "n_fft": 256, "mels": 8}


def _autoencoder(*, encoder=None, channels=2, samples=1024, transform=(8, 16, 16), **unet):
    sizes = (
        dict(zip(("filters", "window", "stride"), transform, strict=True)) if transform else None
    )
    return {
        "channels": channels,
        "samples": samples,
        "encoder": {**ENCODER, **(encoder or {})},
        "unet": {**UNET, "transform": sizes, "context_injections": [0, 1, 0], **unet},
    }


AUTOENCODERS = {
    "learned transform": _autoencoder(),
    "overlapping transform": _autoencoder(transform=(8, 32, 16)),
    "no transform": _autoencoder(transform=None, factors=[1, 32, 2]),
    "odd transform, factors and length": _autoencoder(
        transform=(8, 9, 3), factors=[1, 5, 3], samples=675,
        encoder={"hop_length": 3, "factors": [5], "n_fft": 31},
    ),
    "latent at the surface": _autoencoder(transform=(4, 32, 32), context_injections=[1, 0, 0]),
    "latent at the bottom": _autoencoder(transform=(8, 8, 8), context_injections=[0, 0, 1]),
    "self-attention": _autoencoder(attentions=[0, 1, 2]),
    "concatenated skips": _autoencoder(skip="concatenated", attentions=[0, 0, 1]),
    "mono, depths without items": _autoencoder(channels=1, blocks=[1, 0, 0],
                                               context_injections=[1, 0, 0],
                                               transform=(8, 32, 32)),
    "other groups": _autoencoder(groups=4, encoder={"groups": 2}),
    "mel encoder": _autoencoder(encoder=MEL),
    "log magnitudes without bounds": _autoencoder(encoder={"log": True, "bottleneck": "none"}),
    "deep encoder": _autoencoder(
        encoder={"multipliers": [1, 3, 2], "factors": [4, 2], "blocks": [0, 3], "hop_length": 4}
    ),
}  # fmt: skip


def _generator(*, channels=32, frames=64, **unet):
    unet = {
        **UNET,
        "transform": None,
        "context_injections": [],
        "cross_attentions": [1, 1, 1],
        **unet,
    }
    return {"channels": channels, "frames": frames, "unet": unet}


GENERATORS = {
    "cross-attention everywhere": _generator(),
    "cross-attention at one depth": _generator(cross_attentions=[0, 0, 1]),
    "self- and cross-attention": _generator(attentions=[0, 1, 1]),
    "several attentions": _generator(attentions=[2, 0, 1], cross_attentions=[0, 1, 2]),
    "concatenated skips": _generator(skip="concatenated", attentions=[0, 1, 1]),
    "a wave from text": _generator(
        channels=2, frames=1024, transform={"filters": 8, "window": 64, "stride": 16}
    ),
    "odd factors and length": _generator(factors=[1, 3, 5], frames=75),
    "one rate, odd length": _generator(frames=33, factors=[1, 1, 1]),
}
