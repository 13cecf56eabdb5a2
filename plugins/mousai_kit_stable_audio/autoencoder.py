"""The lower stage of Stable Audio: a variational autoencoder of audio.

Legend: b batch, c channels, t samples of audio, n frames of the latent, d channels of the latent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor

import mousai_kit.api as mk
from mousai_kit_stable_audio.discriminator import Adversary, AdversaryOptions
from mousai_kit_stable_audio.encoder import Oobleck
from mousai_kit_stable_audio.oobleck import OobleckDecoder, OobleckOptions
from mousai_kit_stable_audio.spectral_loss import multi_resolution_stft

LEAST_DEVIATION = 1e-4
"""That of a latent that is sure of itself."""
SURE = -5.0
"""Where a new encoder's deviations come from: the smallest part of what a latent may be."""
POSTERIOR: dict[str, object] = {"use": "oobleck", "latent_channels": 128, "bottleneck": "none"}
"""Stable Audio Open's encoder: means and deviations of 64 channels."""


@dataclass(frozen=True, slots=True)
class Posterior:
    """What a latent may be: normal, with a mean and a deviation [b, d, n]."""

    mean: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, encoded: Tensor) -> Posterior:
        """Return that of what an encoder says [b, 2 d, n]: means, then what deviations are from."""
        mean, scale = encoded.float().chunk(2, dim=1)
        return cls(mean, F.softplus(scale) + LEAST_DEVIATION)

    def sample(self, noise: mk.NoiseSource) -> Tensor:
        """Return a latent [b, d, n]."""
        return self.mean + self.deviation * noise.like(self.mean)

    def divergence(self) -> Tensor:
        """Return KL(posterior || standard normal) in nats a frame [b] (Kingma & Welling, 2014)."""
        variance = self.deviation.square()
        terms = self.mean.square() + variance - variance.log() - 1
        return 0.5 * terms.sum(1).mean(1)


class VariationalAutoencoder(mk.Stage):
    """Variational autoencoder of audio: Stable Audio's, whose decoder answers at once.

    Half of the encoder's channels are the latent's means, the other half what its deviations come
    from (Evans et al., 2024, arXiv 2404.10301, section 3.1). It learns from spectra at several
    resolutions, with the posterior drawn near a standard normal, and if asked for from an
    adversary. `encode` gives the means.
    """

    name = "variational-autoencoder"

    latent_space: mk.SignalSpace

    class Options(mk.Options):
        """Options of `stage: variational-autoencoder`."""

        encoder: mk.Use[mk.SpectralEncoder] = mk.default(POSTERIOR)
        decoder: OobleckOptions = mk.Field(
            default_factory=lambda: OobleckOptions.model_validate({}),
            description="the network that makes audio; its factors make as much as the encoder's",
        )
        windows: list[Annotated[int, mk.Field(ge=16, le=65536)]] = mk.Field(
            [32, 64, 128, 256, 512, 1024, 2048],
            min_length=1,
            description="windows in samples of the spectra that it learns from; a hop is a quarter",
        )
        divergence: float = mk.Field(
            1e-4, ge=0, description="weight of the posterior's divergence, in nats a frame"
        )
        adversary: AdversaryOptions | None = mk.Field(
            None, description="a network that learns to tell what is made from music; null: none"
        )

    def __init__(self, options: Options, *, input_space: mk.SignalSpace) -> None:
        super().__init__(options, input_space=input_space)
        if input_space.stride != 1:
            raise mk.PluginError(f"{self.name} encodes audio: it must be the lowest stage")
        self.input_space, self.options = input_space, options
        self.encoder = options.encoder.build(
            audio_channels=input_space.channels, sample_rate=input_space.sample_rate
        )
        if isinstance(self.encoder, Oobleck):
            self.encoder.set_bias(SURE, first=self.encoder.channels // 2)
        stride = self.encoder.downsampling
        _check_sizes(self.encoder.channels, stride, options.decoder.stride)
        self.latent_space = mk.SignalSpace(
            self.encoder.channels // 2, stride, input_space.sample_rate
        )
        self.decoder = OobleckDecoder(
            options.decoder, inputs=self.latent_space.channels, outputs=input_space.channels
        )
        self.adversary = (
            None
            if options.adversary is None
            else Adversary(options.adversary, channels=input_space.channels)
        )

    def fit_statistics(self, signals: Iterable[Tensor], captions: Sequence[str]) -> None:
        """Let the encoder measure what it must over audio [b, c, t]."""
        self.encoder.fit_statistics(self._pad(signal) for signal in signals)

    def loss(
        self,
        signal: Tensor,
        prompts: Sequence[str],
        *,
        noise: mk.NoiseSource,
        condition: mk.Condition = "training",
    ) -> Tensor:
        """Return the loss per clip [b] for audio [b, c, t]; prompts go unused.

        A latent is drawn, and an adversary asked, in training alone: elsewhere it is the mean's
        reconstruction that counts.
        """
        wave = self._pad(signal)
        posterior = Posterior.of(self.encoder(wave))
        latent = posterior.sample(noise) if condition == "training" else posterior.mean
        if condition == "other":
            latent = latent.roll(-1, 0)
        elif condition == "none":
            latent = torch.zeros_like(latent)
        heard = self.decoder(latent).float()
        loss = multi_resolution_stft(heard, wave, self.options.windows)
        loss = loss + self.options.divergence * posterior.divergence()
        if self.adversary is not None and condition == "training":
            loss = loss + self.adversary(heard, wave)
        return loss

    def encode(self, signal: Tensor) -> Tensor:
        """Return the latents' means [b, latent_space.channels, frames] of audio [b, c, t]."""
        return Posterior.of(self.encoder(self._pad(signal))).mean

    def decode(self, latents: Tensor | None, request: mk.GenerationRequest) -> Tensor:
        """Make audio [b, c, request.samples] from latents [b, latent_space.channels, frames]."""
        return torch.cat([*self.stream(latents, request)], -1)

    def stream(self, latents: Tensor | None, request: mk.GenerationRequest) -> Iterator[Tensor]:
        """Yield the audio [b, c, n] piece by piece, made in windows of latents."""
        if latents is None:
            raise mk.RequestError(
                f"{self.name} needs latents; a recipe that generates has a stage above it"
            )
        yield from self.stream_latents(mk.SignalStream.of(latents), request)

    def stream_latents(
        self, latents: mk.SignalStream, request: mk.GenerationRequest
    ) -> Iterator[Tensor]:
        """Yield the audio [b, c, n] piece by piece, as far as latents come."""
        windows, left = self._windows(request), request.samples
        made = (self._make(latents.window(at.start, at.stop), request) for at in windows)
        places = [mk.scale_range(window, self.latent_space.stride) for window in windows]
        for piece in mk.overlap_add(places, made):
            yield piece[..., :left]
            left -= min(left, piece.shape[-1])

    def windows(self, request: mk.GenerationRequest) -> int:
        """Return in how many windows the audio is made."""
        return len(self._windows(request))

    @property
    def nfe(self) -> int:
        """Return how many evaluations of its network a window takes: one."""
        return 1

    def _make(self, latents: Tensor, request: mk.GenerationRequest) -> Tensor:
        """Return the audio [b, c, t] of a window of latents."""
        made = self.decoder(latents.to(next(self.decoder.parameters()).dtype)).float()
        request.tick()
        return made

    def _windows(self, request: mk.GenerationRequest) -> list[range]:
        """Return the windows in frames of the latent."""
        stride = self.latent_space.stride
        longest, first = (
            length and -(-length // stride) for length in (request.window, request.first_window)
        )
        return mk.overlapping_windows(self._frames(request), longest, first=first)

    def _frames(self, request: mk.GenerationRequest) -> int:
        return self.latent_space.frames(request.samples)

    def _pad(self, signal: Tensor) -> Tensor:
        """Return audio with silence up to a whole frame of the latent."""
        missing = -signal.shape[-1] % self.latent_space.stride
        return F.pad(signal, (0, missing)) if missing else signal


def _check_sizes(channels: int, stride: int, decoder: int) -> None:
    """Raise where encoder and decoder do not fit together."""
    if channels % 2:
        raise mk.MousaiError(
            "encoder: must have an even number of channels, half of them means and half "
            f"deviations (got {channels})"
        )
    if stride != decoder:
        raise mk.MousaiError(
            "decoder: its factors must make as many samples of a frame as the encoder takes for "
            f"one (got {decoder}, the encoder's {stride})"
        )
