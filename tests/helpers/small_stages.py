"""Stages of the smallest size, and the spaces that they are between."""

from mousai_kit.core.interfaces import SignalSpace

AUDIO = SignalSpace(channels=2, stride=1, sample_rate=8000)

LATENTS = SignalSpace(channels=4, stride=32, sample_rate=8000)

AUTOENCODER = {
    "use": "diffusion-autoencoder",
    "domain": {"use": "mdct", "hop": 16},
    "encoder": {
        "use": "magnitude",
        "channels": 16,
        "multipliers": [1, 1],
        "factors": [2],
        "blocks": [1],
        "n_fft": 63,
        "hop_length": 16,
        "latent_channels": 4,
    },
    "unet": {
        "use": "unet1d",
        "transform": None,
        "channels": [16, 16],
        "factors": [1, 4],
        "blocks": [1, 1],
        "context_injections": [1, 1],
        "modulation_features": 16,
        "head": "gain",
    },
    "sampler": {"use": "ddim", "steps": 3},
}
"""An autoencoder of `AUDIO` into `LATENTS`."""

GENERATOR = {
    "use": "text-to-latent",
    "text": {
        "use": "t5-scratch",
        "features": 16,
        "layers": 1,
        "heads": 2,
        "feed_forward": 16,
        "vocabulary": 512,
        "tokens": 8,
    },
    "unet": {
        "use": "unet1d",
        "transform": None,
        "channels": [16, 16],
        "factors": [1, 2],
        "blocks": [1, 1],
        "attentions": [0, 1],
        "cross_attentions": [1, 1],
        "context_injections": [],
        "attention_heads": 2,
        "attention_features": 8,
        "modulation_features": 16,
    },
    "sampler": {"use": "ddim", "steps": 3},
}
"""A generator of `LATENTS`."""

PICTURES = {
    "use": "text-to-audio",
    "domain": {
        "use": "mel-picture",
        "bands": 16,
        "hop": 4.0,
        "window": 16.0,
        "highest": 4000.0,
        "iterations": 3,
    },
    "text": GENERATOR["text"],
    "unet": {
        "use": "unet2d",
        "patch": [2, 2],
        "channels": [16, 16],
        "blocks": [1, 1],
        "attentions": [0, 1],
        "cross_attentions": [1, 1],
        "heads": 2,
        "groups": 4,
        "modulation_features": 16,
    },
    "sampler": {"use": "ddim", "steps": 3},
}
"""Text to `AUDIO` in one stage."""
