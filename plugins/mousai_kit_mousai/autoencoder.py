"""The lower stage: a diffusion autoencoder between audio and a short latent sequence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from math import lcm

import torch
from torch import Tensor
from torch.nn.functional import pad

import mousai_kit.api as mk
from mousai_kit_mousai.envelope import Envelope, EnvelopeOptions, Preconditioned, surprise
from mousai_kit_mousai.objective import averaged, velocity_loss


class DiffusionAutoencoder(mk.Stage):
    """Diffusion autoencoder: an encoder and the diffusion that decodes it, learned as one.

    The encoder sees the audio; the network denoises the audio, shown in `domain`, given the latent
    (Schneider et al., 2023, section 3.2).
    """

    name = "diffusion-autoencoder"

    class Options(mk.Options):
        """Options of `stage: diffusion-autoencoder`."""

        domain: mk.Use[mk.Domain] = mk.chosen("waveform")
        encoder: mk.Use[mk.SpectralEncoder] = mk.chosen("magnitude")
        unet: mk.Use[mk.UNet] = mk.chosen("unet1d")
        schedule: mk.Use[mk.Schedule] = mk.chosen("cosine")
        sampler: mk.Use[mk.Sampler] = mk.chosen("ddim")
        envelope: EnvelopeOptions | None = mk.Field(
            None,
            description="a head start for small machines: the latent tells each coefficient's "
            "loudness, and the network works on top; null, as in the paper: none",
        )
        saturation: float = mk.Field(
            0.0,
            ge=0,
            description="weight of atanh(latent)^2, which keeps a tanh latent off its bounds, "
            "where learning stalls; 0, as in the paper: none",
        )

    space: mk.Space

    def __init__(self, options: Options, *, below: mk.Space) -> None:
        super().__init__(options, below=below)
        if below.stride != 1:
            raise mk.PluginError("diffusion-autoencoder encodes audio: it must be the lowest stage")
        self.below = below
        self.domain = options.domain.build(audio_channels=below.channels)
        self.encoder = options.encoder.build(
            audio_channels=below.channels, sample_rate=below.sample_rate
        )
        seen = self.domain.channels * (1 if options.envelope is None else 2)
        self.unet = options.unet.build(
            channels=seen, context_channels=self.encoder.channels, text_features=0
        )
        self.envelope: Envelope | None = None
        self.envelope_weight = 0.0
        if options.envelope is not None:
            self.envelope = Envelope(
                options.envelope,
                latent_channels=self.encoder.channels,
                channels=self.domain.channels,
            )
            self.envelope_weight = options.envelope.weight
        self.saturation = options.saturation
        self.schedule = options.schedule.build()
        self.sampler = options.sampler.build(schedule=self.schedule)
        self.space = mk.Space(self.encoder.channels, self.encoder.downsampling, below.sample_rate)
        self.multiple = lcm(self.space.stride, self.domain.stride * self.unet.downsampling)

    def prepare(self, signals: Iterable[Tensor], captions: Sequence[str]) -> None:
        """Let the domain measure its statistics over audio [b, c, t]."""
        self.domain.prepare(self._padded(signal) for signal in signals)

    def loss(
        self,
        signal: Tensor,
        prompts: Sequence[str],
        *,
        noise: mk.NoiseSource,
        condition: mk.Condition = "training",
    ) -> Tensor:
        """Return the loss per clip [b] for audio [b, c, t]; prompts go unused."""
        wave = self._padded(signal)
        latent = self.encoder(wave)
        if condition == "other":
            latent = latent.roll(-1, 0)
        elif condition == "none":
            latent = torch.zeros_like(latent)
        x = self.domain(wave)
        velocity, log_deviation = self._velocity(latent, x.shape[-1])
        importance = self.domain.importance()
        loss = velocity_loss(velocity, x, self.schedule, noise, importance=importance)
        if log_deviation is not None:
            likelihood = averaged(surprise(log_deviation, x), importance)
            loss = loss + self.envelope_weight * likelihood
        if self.saturation:
            loss = loss + self.saturation * _before_tanh(latent).square().mean((1, 2))
        return loss

    def encode(self, signal: Tensor) -> Tensor:
        """Return the latents [b, space.channels, frames] of audio [b, c, t]."""
        latent: Tensor = self.encoder(self._padded(signal))
        return latent[..., : self.space.frames(signal.shape[-1])]

    def decode(self, latents: Tensor | None, request: mk.Request) -> Tensor:
        """Make audio [b, c, request.samples] from latents [b, space.channels, frames]."""
        return torch.cat([*self.stream(latents, request)], -1)

    def stream(self, latents: Tensor | None, request: mk.Request) -> Iterator[Tensor]:
        """Yield the audio [b, c, n] piece by piece, made in windows with the same noise."""
        if latents is None:
            raise mk.RequestError(
                "diffusion-autoencoder needs latents; a recipe that generates has a stage above it"
            )
        missing = self._whole(request.samples) // self.space.stride - latents.shape[-1]
        context = pad(latents, (0, missing), mode="replicate") if missing else latents
        windows = self._windows(request)
        groups = (
            windows[first : first + request.together]
            for first in range(0, len(windows), request.together)
        )
        made = chain.from_iterable(self._sampled(context, group, request) for group in groups)
        frames = [mk.scaled(window, self.multiple // self.domain.stride) for window in windows]
        yield from self.domain.stream(mk.joined(frames, made), request.samples)

    def windows(self, request: mk.Request) -> int:
        """Return in how many windows the audio is made."""
        return len(self._windows(request))

    def _windows(self, request: mk.Request) -> list[range]:
        """Return the windows in units that latents, domain and network all divide."""
        longest = None if request.window is None else self._whole(request.window) // self.multiple
        return mk.windows(self._whole(request.samples) // self.multiple, longest)

    def _sampled(
        self, context: Tensor, windows: Sequence[range], request: mk.Request
    ) -> Iterable[Tensor]:
        """Return what the domain shows in each of some windows, [b, channels, frames]."""
        per_latent, per_frame = (self.multiple // it.stride for it in (self.space, self.domain))
        parts = [mk.scaled(window, per_latent) for window in windows]
        latents = torch.cat([context[..., it.start : it.stop] for it in parts])
        frames = len(windows[0]) * per_frame
        velocity, _ = self._velocity(latents, frames, self.sampler.levels())
        source = request.noise([window.start * per_frame for window in windows])
        noise = source.normal(self.domain.channels, frames).to(latents.device)
        x = self.sampler.sample(request.counted(velocity), noise, generator=source)
        return x.float().chunk(len(windows))

    def _velocity(
        self, latent: Tensor, frames: int, levels: Tensor | None = None
    ) -> tuple[mk.Velocity, Tensor | None]:
        """Return the velocity given a latent, and the envelope [b, c, frames] if there is one."""
        network = self.unet.bind(latent, None, levels=levels)
        if self.envelope is None:
            return network, None
        log_deviation = self.envelope(latent, frames)
        return Preconditioned(network, log_deviation, self.schedule), log_deviation

    def _whole(self, samples: int) -> int:
        """Return the next length that latents, domain and network all divide."""
        return -(-samples // self.multiple) * self.multiple

    def _padded(self, signal: Tensor) -> Tensor:
        missing = self._whole(signal.shape[-1]) - signal.shape[-1]
        return pad(signal, (0, missing)) if missing else signal


def _before_tanh(latent: Tensor) -> Tensor:
    """Return what tanh made a latent in [-1, 1] of, as far as float32 tells."""
    return latent.float().clamp(-1 + 1e-6, 1 - 1e-6).atanh()
