"""The upper stage: latent diffusion that follows a text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor

import mousai_kit.api as mk

PAPERS_UNET: dict[str, object] = {
    "use": "unet1d",
    "transform": None,
    "channels": [128, 256, 512, 512, 1024, 1024],
    "factors": [1, 2, 2, 2, 2, 2],
    "blocks": [2, 2, 2, 4, 8, 8],
    "attentions": [0, 0, 1, 1, 1, 1],
    "cross_attentions": [1, 1, 1, 1, 1, 1],
    "context_injections": [],
}
"""The paper's generator: with its null embedding 562.6 M parameters."""


class TextToLatent(mk.TextStage):
    """Latent diffusion: the latents of the stage below, given a text (section 3.3 of the paper).

    Trained with the text dropped at times, by default for a learned null embedding, and sampled
    with guidance.
    `conditioners` tell more than the text does, each left out at times by its own `dropout`, and
    all of them half of the time when the text is: so guidance knows what nothing is.
    Latents are normalised by their mean per channel and their deviation, of each channel or of all
    together (as in latent diffusion: Rombach et al., 2022), measured before training and kept with
    the weights.
    """

    name = "text-to-latent"
    controls = (
        *("negative", "guidance_rescale", "guidance_interval", "guidance_schedule"),
        *("blend", "blend_at", "variation", "spread"),
        *mk.EDITING,
    )

    class Options(mk.TextStageOptions):
        """Options of `stage: text-to-latent`."""

        former_names: ClassVar[Mapping[str, str]] = {"drop": "text_dropout"}

        text: mk.Use[mk.TextEncoder] = mk.default("t5")
        unet: mk.Use[mk.UNet] = mk.default(PAPERS_UNET)
        normalise: Literal["channel", "all"] = mk.Field(
            "channel",
            description="what latents are divided by: each channel by its deviation, or all by "
            "one, so that channels which deviate more count more and are settled first",
        )

    mean: Tensor
    deviation: Tensor

    def __init__(self, options: Options, *, input_space: mk.SignalSpace) -> None:
        super().__init__(options, input_space=input_space)
        self.input_space, self.normalise = input_space, options.normalise
        self.build_parts(options, diffused=input_space)
        self.register_buffer("mean", torch.zeros(input_space.channels, 1))
        self.register_buffer("deviation", torch.ones(input_space.channels, 1))

    def fit_statistics(self, signals: Iterable[Tensor], captions: Sequence[str]) -> None:
        """Measure the latents' mean and deviation; let the text encoder learn its vocabulary."""
        self.text.fit_statistics(captions)
        frames = torch.cat([signal.transpose(1, 2).flatten(0, 1) for signal in signals]).double()
        self.mean.copy_(frames.mean(0)[:, None])
        deviation = frames.std(0, correction=0)[:, None]
        if self.normalise == "all":
            deviation = deviation.square().mean().sqrt().expand_as(deviation)
        self.deviation.copy_(deviation.clamp(min=1e-4))

    def loss(
        self,
        signal: Tensor,
        prompts: Sequence[str],
        *,
        noise: mk.NoiseSource,
        condition: mk.Condition = "training",
        extras: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """Return the loss per clip [b] for latents [b, c, frames], their texts and extras."""
        x = self._normalise(signal)
        return self.text_loss(x, prompts, noise=noise, condition=condition, extras=extras)

    def denoising(
        self,
        signal: Tensor,
        prompts: Sequence[str],
        *,
        noise: mk.NoiseSource,
        condition: mk.Condition = "training",
        guidance: Tensor | None = None,
        text_shift: Tensor | None = None,
        extras: Mapping[str, Tensor] | None = None,
    ) -> mk.Denoising:
        """Return what is denoised of latents [b, c, frames], and with what."""
        return self.text_denoising(
            self._normalise(signal),
            prompts,
            noise=noise,
            condition=condition,
            guidance=guidance,
            text_shift=text_shift,
            extras=extras,
        )

    def encode(self, signal: Tensor) -> Tensor:
        """Refuse: above this stage there is only text."""
        raise mk.RequestError("text-to-latent makes latents from text and encodes nothing")

    def decode(self, latents: Tensor | None, request: mk.GenerationRequest) -> Tensor:
        """Make latents [b, c, frames] for the request's prompts; `latents` goes unused."""
        source = None if request.source is None else self._normalise(request.source)
        return self.sample(request, source) * self.deviation + self.mean

    @property
    def continues(self) -> bool:
        """Return that long clips are made in windows."""
        return True

    def _normalise(self, signal: Tensor) -> Tensor:
        """Return latents [b, c, frames] as the network knows them."""
        return (signal - self.mean) / self.deviation
