"""The lower stage: a diffusion autoencoder between audio and a short latent sequence."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

import mousai_kit.api as mk
from mousai_kit_mousai.audio_rung import AudioRung, told
from mousai_kit_mousai.envelope import Envelope, EnvelopeOptions, Preconditioned, surprise
from mousai_kit_mousai.objective import averaged, velocity_loss


class DiffusionAutoencoder(AudioRung):
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

    def __init__(self, options: Options, *, below: mk.Space) -> None:
        super().__init__(options, below=below)
        inputs = 1 if options.envelope is None else 2
        self.build_parts(options.domain, options.encoder, options.unet, inputs=inputs)
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

    def loss(
        self,
        signal: Tensor,
        prompts: Sequence[str],
        *,
        noise: mk.NoiseSource,
        condition: mk.Condition = "training",
    ) -> Tensor:
        """Return the loss per clip [b] for audio [b, c, t]; prompts go unused."""
        wave = self.padded(signal)
        latent = told(self.encoder(wave), condition)
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

    def made(
        self, latents: Tensor, frames: int, starts: Sequence[int], request: mk.Request
    ) -> Tensor:
        """Return what the domain shows of windows of latents, from the noise of their places."""
        velocity, _ = self._velocity(latents, frames, self.sampler.levels())
        source = request.noise(starts)
        noise = source.normal(self.domain.channels, frames).to(latents.device)
        return self.sampler.sample(request.counted(velocity), noise, generator=source)

    def _velocity(
        self, latent: Tensor, frames: int, levels: Tensor | None = None
    ) -> tuple[mk.Velocity, Tensor | None]:
        """Return the velocity given a latent, and the envelope [b, c, frames] if there is one."""
        network = self.unet.bind(latent, None, levels=levels)
        if self.envelope is None:
            return network, None
        log_deviation = self.envelope(latent, frames)
        return Preconditioned(network, log_deviation, self.schedule), log_deviation


def _before_tanh(latent: Tensor) -> Tensor:
    """Return what tanh made a latent in [-1, 1] of, as far as float32 tells."""
    return latent.float().clamp(-1 + 1e-6, 1 - 1e-6).atanh()
