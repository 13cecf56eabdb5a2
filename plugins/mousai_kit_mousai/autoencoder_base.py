"""What autoencoders of audio share: a domain, an encoder, a network, and audio made in windows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, groupby
from math import lcm

import torch
from torch import Tensor
from torch.nn.functional import pad

import mousai_kit.api as mk

WindowDecoder = Callable[[Tensor, int, Sequence[int]], Tensor]
"""Makes what a domain shows of windows: of their latents, their frames and where they begin."""


class AudioStage(mk.Stage):
    """An autoencoder of audio: what it needs to bring any length to latents."""

    encoder: mk.SpectralEncoder
    latent_space: mk.SignalSpace
    length_multiple: int
    """Samples that whatever it is made of divides."""

    def __init__(self, options: mk.Options, *, input_space: mk.SignalSpace) -> None:
        super().__init__(options, input_space=input_space)
        if input_space.stride != 1:
            raise mk.PluginError(f"{self.name} encodes audio: it must be the lowest stage")
        self.input_space = input_space

    def build_encoder(self, encoder: mk.Use[mk.SpectralEncoder]) -> None:
        """Build the encoder, whose latents are the space of this stage."""
        below, domain = self.input_space, getattr(self, "domain", None)
        self.encoder = encoder.build(
            audio_channels=below.channels,
            sample_rate=below.sample_rate,
            layout=domain and domain.layout,
        )
        self.latent_space = mk.SignalSpace(
            self.encoder.channels, self.encoder.downsampling, below.sample_rate
        )
        self.length_multiple = self.latent_space.stride

    def prepare_encoder(self, signals: Iterable[Tensor]) -> Iterable[Tensor]:
        """Let the encoder measure what it must; return the audio [b, c, t], padded, for once more.

        It is kept in memory only where the encoder measures something.
        """
        waves: Iterable[Tensor] = (self.pad_audio(signal) for signal in signals)
        if type(self.encoder).fit_statistics is mk.SpectralEncoder.fit_statistics:
            return waves
        waves = [*waves]
        self.encoder.fit_statistics(waves)
        return waves

    def loss(
        self,
        signal: Tensor,
        prompts: Sequence[str],
        *,
        noise: mk.NoiseSource,
        condition: mk.Condition = "training",
    ) -> Tensor:
        """Return the loss per clip [b] for audio [b, c, t]; prompts go unused."""
        wave = self.pad_audio(signal)
        latent = self.tell(self.encode_padded(wave), condition)
        return self.reconstruction_loss(wave, latent, noise)

    def tell(self, latent: Tensor, condition: mk.Condition) -> Tensor:
        """Return what a network is told [b, c, n] in place of clips' latents; see `loss`."""
        if condition == "other":
            return latent.roll(-1, 0)
        return torch.zeros_like(latent) if condition == "none" else latent

    @abstractmethod
    def reconstruction_loss(self, wave: Tensor, latent: Tensor, noise: mk.NoiseSource) -> Tensor:
        """Return the loss per clip [b] for padded audio [b, c, t], given a latent [b, c, n]."""

    def encode_padded(self, wave: Tensor) -> Tensor:
        """Return the latent [b, latent_space.channels, n] to learn from, of padded audio."""
        return self.encoder(wave)

    def encode(self, signal: Tensor) -> Tensor:
        """Return the latents [b, latent_space.channels, frames] of audio [b, c, t]."""
        latent: Tensor = self.encoder(self.pad_audio(signal))
        return latent[..., : self.latent_space.frames(signal.shape[-1])]

    def decode(self, latents: Tensor | None, request: mk.GenerationRequest) -> Tensor:
        """Make audio [b, c, request.samples] from latents [b, latent_space.channels, frames]."""
        return torch.cat([*self.stream(latents, request)], -1)

    def pad_audio(self, signal: Tensor) -> Tensor:
        """Return audio with silence up to a length that latents, domain and network divide."""
        missing = self._whole(signal.shape[-1]) - signal.shape[-1]
        return pad(signal, (0, missing)) if missing else signal

    def stream(self, latents: Tensor | None, request: mk.GenerationRequest) -> Iterator[Tensor]:
        """Yield the audio [b, c, n] piece by piece; RequestError where there are no latents."""
        if latents is None:
            raise mk.RequestError(
                f"{self.name} needs latents; a recipe that generates has a stage above it"
            )
        yield from self.stream_latents(mk.SignalStream.of(latents), request)

    @abstractmethod
    def stream_latents(
        self, latents: mk.SignalStream, request: mk.GenerationRequest
    ) -> Iterator[Tensor]:
        """Yield the audio [b, c, n] piece by piece, as far as latents come."""

    def windows(self, request: mk.GenerationRequest) -> int:
        """Return in how many windows the audio is made."""
        return len(self._windows(request))

    @abstractmethod
    def _windows(self, request: mk.GenerationRequest) -> list[range]:
        """Return the windows in which the audio is made, in units of this stage."""

    def _whole(self, samples: int) -> int:
        """Return the next length that latents, domain and network all divide."""
        return -(-samples // self.length_multiple) * self.length_multiple


class AudioAutoencoder(AudioStage):
    """An autoencoder of audio: what it makes of latents is shown in a domain, window by window."""

    domain: mk.Domain
    unet: mk.UNet

    def build_domain(self, domain: mk.Use[mk.Domain]) -> None:
        """Build the domain, which encoder and network may ask about."""
        space = self.input_space
        self.domain = domain.build(audio_channels=space.channels, sample_rate=space.sample_rate)

    def build_network(self, unet: mk.Use[mk.UNet], *, inputs: int = 1) -> None:
        """Build the network, where domain and space are known: it sees `inputs` signals at once."""
        self.unet = unet.build(
            channels=inputs * self.domain.channels,
            context_channels=self.latent_space.channels,
            text_features=0,
            layout=self.domain.layout,
        )
        self.length_multiple = lcm(
            self.latent_space.stride, self.domain.stride * self.unet.downsampling
        )

    @abstractmethod
    def decode_windows(
        self, latents: Tensor, frames: int, starts: Sequence[int], request: mk.GenerationRequest
    ) -> Tensor:
        """Return what the domain shows [n, channels, frames] of windows of latents [n, ...].

        The windows begin at frames `starts`: all clips of the first one, then all of the next.
        """

    def window_decoder(
        self, latents: mk.SignalStream, request: mk.GenerationRequest
    ) -> WindowDecoder:
        """Return what makes windows of latents for a request, one after another.

        Default: `decode_windows`. The latents are those of all of the audio, read beside it by
        whoever forks them here.
        """
        return partial(self.decode_windows, request=request)

    def fit_statistics(self, signals: Iterable[Tensor], captions: Sequence[str]) -> None:
        """Let encoder and domain measure their statistics over audio [b, c, t]."""
        self.domain.fit_statistics(self.prepare_encoder(signals))

    def stream_latents(
        self, latents: mk.SignalStream, request: mk.GenerationRequest
    ) -> Iterator[Tensor]:
        """Yield the audio [b, c, n] piece by piece, made in windows with the same noise."""
        windows, make = self._windows(request), self.window_decoder(latents, request)
        alike = (list(group) for _, group in groupby(windows, len))
        groups = (
            group[first : first + request.together]
            for group in alike
            for first in range(0, len(group), request.together)
        )
        made = chain.from_iterable(self._together(latents, group, make) for group in groups)
        frames = [
            mk.scale_range(window, self.length_multiple // self.domain.stride) for window in windows
        ]
        yield from self.domain.stream(mk.overlap_add(frames, made), request.samples)

    def _windows(self, request: mk.GenerationRequest) -> list[range]:
        """Return the windows in units that latents, domain and network all divide."""
        longest = (
            None if request.window is None else self._whole(request.window) // self.length_multiple
        )
        first = request.first_window and self._whole(request.first_window) // self.length_multiple
        units = self._whole(request.samples) // self.length_multiple
        return mk.overlapping_windows(units, longest, first=first)

    def _together(
        self, latents: mk.SignalStream, windows: Sequence[range], make: WindowDecoder
    ) -> Iterable[Tensor]:
        """Return what the domain shows in each of some windows, [b, channels, frames]."""
        per_latent, per_frame = (
            self.length_multiple // space.stride for space in (self.latent_space, self.domain)
        )
        parts = [mk.scale_range(window, per_latent) for window in windows]
        context = torch.cat([latents.window(part.start, part.stop) for part in parts])
        starts = [window.start * per_frame for window in windows]
        made = make(context, len(windows[0]) * per_frame, starts)
        return made.float().chunk(len(windows))
