"""What autoencoders of audio share: a domain, an encoder, a network, and audio made in windows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from math import lcm

import torch
from torch import Tensor
from torch.nn.functional import pad

import mousai_kit.api as mk


class AudioRung(mk.Stage):
    """An autoencoder of audio: what it makes of latents is shown in a domain, window by window."""

    domain: mk.Domain
    encoder: mk.SpectralEncoder
    unet: mk.UNet
    space: mk.Space

    def __init__(self, options: mk.Options, *, below: mk.Space) -> None:
        super().__init__(options, below=below)
        if below.stride != 1:
            raise mk.PluginError(f"{self.name} encodes audio: it must be the lowest stage")
        self.below = below

    def build_parts(
        self,
        domain: mk.Use[mk.Domain],
        encoder: mk.Use[mk.SpectralEncoder],
        unet: mk.Use[mk.UNet],
        *,
        inputs: int = 1,
    ) -> None:
        """Build the parts; the network sees `inputs` signals of the domain side by side."""
        below = self.below
        self.domain = domain.build(audio_channels=below.channels)
        self.encoder = encoder.build(audio_channels=below.channels, sample_rate=below.sample_rate)
        self.unet = unet.build(
            channels=inputs * self.domain.channels,
            context_channels=self.encoder.channels,
            text_features=0,
        )
        self.space = mk.Space(self.encoder.channels, self.encoder.downsampling, below.sample_rate)
        self.multiple = lcm(self.space.stride, self.domain.stride * self.unet.downsampling)

    @abstractmethod
    def made(
        self, latents: Tensor, frames: int, starts: Sequence[int], request: mk.Request
    ) -> Tensor:
        """Return what the domain shows [n, channels, frames] of windows of latents [n, ...].

        The windows begin at frames `starts`: all clips of the first one, then all of the next.
        """

    def prepare(self, signals: Iterable[Tensor], captions: Sequence[str]) -> None:
        """Let the domain measure its statistics over audio [b, c, t]."""
        self.domain.prepare(self.padded(signal) for signal in signals)

    def encode(self, signal: Tensor) -> Tensor:
        """Return the latents [b, space.channels, frames] of audio [b, c, t]."""
        latent: Tensor = self.encoder(self.padded(signal))
        return latent[..., : self.space.frames(signal.shape[-1])]

    def decode(self, latents: Tensor | None, request: mk.Request) -> Tensor:
        """Make audio [b, c, request.samples] from latents [b, space.channels, frames]."""
        return torch.cat([*self.stream(latents, request)], -1)

    def stream(self, latents: Tensor | None, request: mk.Request) -> Iterator[Tensor]:
        """Yield the audio [b, c, n] piece by piece, made in windows with the same noise."""
        if latents is None:
            raise mk.RequestError(
                f"{self.name} needs latents; a recipe that generates has a stage above it"
            )
        missing = self._whole(request.samples) // self.space.stride - latents.shape[-1]
        context = pad(latents, (0, missing), mode="replicate") if missing else latents
        windows = self._windows(request)
        groups = (
            windows[first : first + request.together]
            for first in range(0, len(windows), request.together)
        )
        made = chain.from_iterable(self._together(context, group, request) for group in groups)
        frames = [mk.scaled(window, self.multiple // self.domain.stride) for window in windows]
        yield from self.domain.stream(mk.joined(frames, made), request.samples)

    def windows(self, request: mk.Request) -> int:
        """Return in how many windows the audio is made."""
        return len(self._windows(request))

    def padded(self, signal: Tensor) -> Tensor:
        """Return audio with silence up to a length that latents, domain and network divide."""
        missing = self._whole(signal.shape[-1]) - signal.shape[-1]
        return pad(signal, (0, missing)) if missing else signal

    def _windows(self, request: mk.Request) -> list[range]:
        """Return the windows in units that latents, domain and network all divide."""
        longest = None if request.window is None else self._whole(request.window) // self.multiple
        return mk.windows(self._whole(request.samples) // self.multiple, longest)

    def _together(
        self, context: Tensor, windows: Sequence[range], request: mk.Request
    ) -> Iterable[Tensor]:
        """Return what the domain shows in each of some windows, [b, channels, frames]."""
        per_latent, per_frame = (self.multiple // it.stride for it in (self.space, self.domain))
        parts = [mk.scaled(window, per_latent) for window in windows]
        latents = torch.cat([context[..., it.start : it.stop] for it in parts])
        starts = [window.start * per_frame for window in windows]
        made = self.made(latents, len(windows[0]) * per_frame, starts, request)
        return made.float().chunk(len(windows))

    def _whole(self, samples: int) -> int:
        """Return the next length that latents, domain and network all divide."""
        return -(-samples // self.multiple) * self.multiple


def told(latent: Tensor, condition: mk.Condition) -> Tensor:
    """Return the latent [b, c, n] that a network is told under a condition."""
    if condition == "other":
        return latent.roll(-1, 0)
    return torch.zeros_like(latent) if condition == "none" else latent
