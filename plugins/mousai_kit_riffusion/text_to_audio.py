"""Text to audio in one stage: diffusion of what a domain shows of the audio itself.

Legend: b batch, c channels of audio, t samples; x what the domain shows, [b, channels, n].
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

import mousai_kit.api as mk

LEAST_PIECE = 4
"""Pieces that are played alone last so many times as long as what they hear of their neighbours,
or their neighbours would take more time than they do."""


class TextToAudio(mk.TextStage):
    """Text to audio in one stage, as Riffusion: diffusion of audio as a domain shows it.

    There are no latents: the network makes the picture that the domain plays (Forsgren & Martiros,
    2022, whose pictures are latents of an autoencoder of images). Trained with the text dropped at
    times for a learned null embedding, sampled with guidance. `blend` goes from one text to another
    inside a clip.
    """

    name = "text-to-audio"
    controls = (
        *("negative", "guidance_rescale", "guidance_interval", "guidance_schedule"),
        *("blend", "blend_at", "variation", "spread", "source", "strength"),
    )

    class Options(mk.TextStageOptions):
        """Options of `stage: text-to-audio`."""

        domain: mk.Use[mk.Domain] = mk.default("mel-picture")
        unet: mk.Use[mk.UNet] = mk.default("unet2d")

    def __init__(self, options: Options, *, input_space: mk.SignalSpace) -> None:
        super().__init__(options, input_space=input_space)
        if input_space.stride != 1:
            raise mk.PluginError(f"{self.name} makes audio: it must be the only stage")
        self.input_space = input_space
        rate = input_space.sample_rate
        self.domain = options.domain.build(audio_channels=input_space.channels, sample_rate=rate)
        self.build_parts(
            options,
            diffused=mk.SignalSpace(self.domain.channels, self.domain.stride, rate),
            layout=self.domain.layout,
        )

    def fit_statistics(self, signals: Iterable[Tensor], captions: Sequence[str]) -> None:
        """Let the domain measure the audio [b, c, t], the text encoder learn its vocabulary."""
        self.text.fit_statistics(captions)
        self.domain.fit_statistics(self._pad(signal) for signal in signals)

    def loss(
        self,
        signal: Tensor,
        prompts: Sequence[str],
        *,
        noise: mk.NoiseSource,
        condition: mk.Condition = "training",
        extras: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """Return the loss per clip [b] for audio [b, c, t], their texts and extras."""
        return self.text_loss(
            self.domain(self._pad(signal)),
            prompts,
            noise=noise,
            condition=condition,
            extras=extras,
            importance=self.domain.channel_weights(),
        )

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
        """Return what is denoised of audio [b, c, t], as the domain shows it, and with what."""
        return self.text_denoising(
            self.domain(self._pad(signal)),
            prompts,
            noise=noise,
            condition=condition,
            guidance=guidance,
            text_shift=text_shift,
            extras=extras,
            importance=self.domain.channel_weights(),
        )

    def encode(self, signal: Tensor) -> Tensor:
        """Refuse: above this stage there is only text."""
        raise mk.RequestError("text-to-audio makes audio from text and encodes nothing")

    def decode(self, latents: Tensor | None, request: mk.GenerationRequest) -> Tensor:
        """Make audio [b, c, request.samples] for the request's prompts; `latents` goes unused."""
        return torch.cat([*self.stream(latents, request)], -1)

    def stream(self, latents: Tensor | None, request: mk.GenerationRequest) -> Iterator[Tensor]:
        """Yield the audio [b, c, n], played in pieces of `request.window` and not much less.

        What the domain shows is made whole: it is short.
        """
        known = None if request.source is None else self.domain(self._pad(request.source))
        x, space = self.sample(request, known), self.diffused
        least = max(1, LEAST_PIECE * self.domain.context_frames)
        longest = x.shape[-1] if request.window is None else space.frames(request.window)
        yield from self.domain.stream(x.split(max(least, longest), -1), request.samples)

    def _pad(self, signal: Tensor) -> Tensor:
        """Return audio with silence up to a whole frame of the domain."""
        return pad(signal, (0, -signal.shape[-1] % self.domain.stride))
