"""The authors' networks and ours with the same weights, at the sizes that are measured.

Needs the extra `parity` (audio-diffusion-pytorch 0.1.3, a-unet 0.0.16). b batch, t time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

import mousai_kit.api as mk
from mousai_kit.core.component import resolve_slot
from mousai_kit.core.plugins import installed_registry
from mousai_kit_distillation.few_step import FewStep
from mousai_kit_mousai.archinet.names import unet_pairs
from mousai_kit_mousai.schedules import Cosine
from mousai_kit_mousai.unet import UNet1d

import_module("mousai_kit.audio.torchaudio_compat")  # which lets theirs import torchaudio anywhere
try:
    from audio_diffusion_pytorch import UNetV0, VDiffusion, VSampler
except ImportError:
    UNetV0 = VDiffusion = VSampler = None

MISSING = "the authors' packages are missing; pip install -e '.[parity]'"
GUIDANCE = 5.0
COSINE = Cosine(mk.Options())
TOKENS, FEATURES = 64, 768
"""T5-base's embeddings."""


@dataclass(frozen=True)
class Size:
    """A network to be measured: its options are the same for both."""

    channels: int
    frames: int
    options: dict[str, Any]
    text: bool = False
    context: tuple[int, int] | None = None
    """Channels and frames of the context, where one is injected."""
    context_injections: list[int] = field(default_factory=list)


SIZES = {
    "generator 24.8 M": Size(
        channels=32,
        frames=256,
        text=True,
        options={
            "channels": [128, 256, 256, 256],
            "factors": [1, 2, 2, 2],
            "blocks": [2, 2, 2, 2],
            "attentions": [0, 1, 1, 1],
            "cross_attentions": [0, 1, 1, 1],
            "attention_heads": 8,
            "attention_features": 32,
        },
    ),
    "decoder 12.4 M": Size(
        channels=2,
        frames=32768,
        context=(32, 512),
        context_injections=[0, 0, 0, 0, 1, 0],
        options={
            "channels": [8, 32, 64, 128, 256, 256],
            "factors": [1, 4, 4, 2, 2, 2],
            "blocks": [1, 2, 2, 2, 2, 2],
        },
    ),
    "generator 551 M": Size(
        channels=32,
        frames=512,
        text=True,
        options={
            "channels": [128, 256, 512, 512, 1024, 1024],
            "factors": [1, 2, 2, 2, 2, 2],
            "blocks": [2, 2, 2, 4, 8, 8],
            "attentions": [0, 0, 1, 1, 1, 1],
            "cross_attentions": [0, 0, 1, 1, 1, 1],
            "attention_heads": 12,
            "attention_features": 64,
        },
    ),
}
"""The configurations for which figures of the authors' code are known."""


class Given:
    """What both networks are given: noise, a context or texts, all the same for the same seed."""

    def __init__(
        self, size: Size, batch: int, device: torch.device, dtype: torch.dtype = torch.float32
    ) -> None:
        source = torch.Generator().manual_seed(1)

        def normal(*shape: int) -> Tensor:
            return torch.randn(batch, *shape, generator=source).to(device, dtype)

        self.size, self.batch = size, batch
        self.noise = normal(size.channels, size.frames)
        self.sigma = torch.rand(batch, generator=source).to(device, dtype)
        self.context = normal(*size.context).tanh() if size.context else None
        self.text, self.null = (normal(TOKENS, FEATURES) if size.text else None for _ in range(2))

    @property
    def theirs(self) -> dict[str, Any]:
        """Return the authors' keywords for the conditioning."""
        if self.text is not None:
            return {"embedding": self.text}
        return {"channels": [self.context if it else None for it in self.size.context_injections]}


class Authors:
    """Their network and sampler."""

    def __init__(self, size: Size, device: torch.device) -> None:
        if UNetV0 is None:
            raise SystemExit(MISSING)
        torch.manual_seed(0)
        nothing = [0] * len(size.options["channels"])
        extra: dict[str, Any] = {"attentions": nothing, "cross_attentions": nothing}
        if size.text:
            extra = {"embedding_features": FEATURES}
        if size.context:
            extra["context_channels"] = [size.context[0] * it for it in size.context_injections]
        options = {"items" if name == "blocks" else name: it for name, it in size.options.items()}
        self.network = UNetV0(dim=1, in_channels=size.channels, **{**extra, **options})
        self.network.to(device).eval()

    def loss(self, given: Given) -> Tensor:
        """Return the loss that they train with, of what is given as if it were music."""
        loss: Tensor = VDiffusion(self.network)(given.noise, **given.theirs)
        return loss

    def velocity(self, given: Given) -> mk.Velocity:
        """Return v, guided where there is a text, as their ClassifierFreeGuidancePlugin does."""

        def once(x: Tensor, sigma: Tensor) -> Tensor:
            return self.network(x, sigma, **given.theirs)

        def guided(x: Tensor, sigma: Tensor) -> Tensor:
            out = self.network(x, sigma, embedding=given.text)
            masked = self.network(x, sigma, embedding=given.null)
            return masked + (out - masked) * GUIDANCE

        return guided if given.text is not None else once

    def sample(self, given: Given, steps: int) -> Tensor:
        """Return what their sampler makes of the noise."""
        velocity = self.velocity(given)
        return VSampler(_Net(velocity))(given.noise, num_steps=steps)


class Ours:
    """Our network, and the sampler as the stages use it."""

    def __init__(self, size: Size, device: torch.device, authors: Authors | None = None) -> None:
        torch.manual_seed(0)
        options = UNet1d.Options.model_validate(
            {**size.options, "context_injections": size.context_injections, "transform": None}
        )
        self.network = UNet1d(
            options,
            channels=size.channels,
            context_channels=size.context[0] if size.context else 0,
            text_features=FEATURES if size.text else 0,
        )
        if authors is not None:
            self.network.load_state_dict(_translated(self.network, authors.network))
        self.network.to(device).eval()

    def unguided(self, given: Given, levels: Tensor | None = None) -> mk.Velocity:
        """Return v."""
        text = None if given.text is None else _unmasked(given.text)
        return self.network.bind(given.context, text, levels=levels)

    def velocity(self, given: Given, levels: Tensor | None = None) -> mk.Velocity:
        """Return v, guided where there is a text."""
        if given.text is None or given.null is None:
            return self.unguided(given, levels)
        text, null = _unmasked(given.text), _unmasked(given.null)
        return mk.ClassifierFreeGuidance(self.network, text, null, scale=GUIDANCE, levels=levels)

    @torch.no_grad()
    def sample(
        self, given: Given, steps: int, sampler: str = "ddim", levels: str = "cosine"
    ) -> Tensor:
        """Return what a sampler of ours makes of the noise; binding the network is part of it."""
        words = {"use": sampler, "steps": steps, "levels": levels}
        chosen = resolve_slot(mk.Sampler, words, {"registry": installed_registry()}).build(
            schedule=COSINE
        )
        return chosen.sample(self.velocity(given, chosen.levels()), given.noise)

    @torch.no_grad()
    def sample_distilled(self, given: Given, steps: int) -> Tensor:
        """Return what a distilled network makes in so many steps, guidance an input.

        Its weights are any: they take the same time. The input is a shift of the text's tokens,
        which costs nothing to speak of.
        """
        sampler = FewStep(FewStep.Options(steps=steps), schedule=COSINE)
        return sampler.sample(self.unguided(given, sampler.levels()), given.noise)

    def gradients(self) -> dict[str, Tensor]:
        """Return the gradients under the authors' names."""
        own = {name: it.grad for name, it in self.network.named_parameters()}
        return {
            pair.theirs: gradient
            for pair in unet_pairs(self.network.options)
            if (gradient := own.get(pair.ours)) is not None
        }


class _Net(torch.nn.Module):
    """A function in the form that their sampler takes."""

    def __init__(self, velocity: mk.Velocity) -> None:
        super().__init__()
        self.velocity = velocity

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        return self.velocity(x, sigma)


def _unmasked(embedding: Tensor) -> mk.TextEmbedding:
    """Return a text all of whose tokens are real: their network knows no mask."""
    return mk.TextEmbedding(embedding, torch.ones(embedding.shape[:2], dtype=torch.bool))


def named_gradients(authors: Authors) -> Iterator[tuple[str, Tensor]]:
    """Yield the authors' gradients by name."""
    for name, parameter in authors.network.named_parameters():
        yield name, torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def _translated(ours: UNet1d, theirs: torch.nn.Module) -> dict[str, Tensor]:
    """Return their weights under our names."""
    known, found = ours.state_dict(), theirs.state_dict()
    return {
        pair.ours: found[pair.theirs].reshape(known[pair.ours].shape)
        for pair in unet_pairs(ours.options)
        if pair.ours in known
    }
