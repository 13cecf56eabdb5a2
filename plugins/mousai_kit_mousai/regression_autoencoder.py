"""The lower stage without diffusion: an autoencoder whose decoder answers at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from torch import Tensor

import mousai_kit.api as mk
from mousai_kit_mousai.autoencoder_base import AudioAutoencoder
from mousai_kit_mousai.stft_loss import stft_distance

QUIET = 1e-3
"""Magnitudes that count as silence: a full-scale sine has some hundreds."""


class RegressionAutoencoder(AudioAutoencoder):
    """Autoencoder whose decoder answers at once, without noise: quick, and the same each time.

    The network that denoises elsewhere is asked once, at the level of noise, for the signal itself.
    It learns from the spectra of what is heard, at several resolutions (Yamamoto et al., 2020,
    without the adversary): phases, which magnitudes leave open, are its own to choose.
    """

    name = "regression-autoencoder"

    class Options(mk.Options):
        """Options of `stage: regression-autoencoder`."""

        domain: mk.Use[mk.Domain] = mk.default("waveform")
        encoder: mk.Use[mk.SpectralEncoder] = mk.default("magnitude")
        unet: mk.Use[mk.UNet] = mk.default("unet1d")
        windows: list[Annotated[int, mk.Field(ge=16, le=65536)]] = mk.Field(
            [512, 1024, 2048],
            min_length=1,
            description="windows in samples of the spectra that it learns from; a hop is a quarter",
        )

    def __init__(self, options: Options, *, input_space: mk.SignalSpace) -> None:
        super().__init__(options, input_space=input_space)
        self.build_domain(options.domain)
        self.build_encoder(options.encoder)
        self.build_network(options.unet)
        self.resolutions = options.windows

    @property
    def nfe(self) -> int:
        """Return how many evaluations of its network a window takes: one."""
        return 1

    def reconstruction_loss(self, wave: Tensor, latent: Tensor, noise: mk.NoiseSource) -> Tensor:
        """Return the distance of spectra per clip [b] for audio [b, c, t]; nothing is random."""
        frames = wave.shape[-1] // self.domain.stride
        answer = self._predict(self.unet.bind(latent), (len(wave), self.domain.channels, frames))
        heard = self.domain.inverse(answer.float(), wave.shape[-1])
        distances = [
            stft_distance(heard, wave, resolution, least=QUIET) for resolution in self.resolutions
        ]
        return torch.stack(distances).mean(0)

    def decode_windows(
        self, latents: Tensor, frames: int, starts: Sequence[int], request: mk.GenerationRequest
    ) -> Tensor:
        """Return what the domain shows of windows of latents; where they begin changes nothing."""
        level = latents.new_ones(1, device="cpu")
        velocity = request.count_evaluations(self.unet.bind(latents, levels=level))
        return self._predict(velocity, (len(latents), self.domain.channels, frames))

    def _predict(self, velocity: mk.Velocity, shape: Sequence[int]) -> Tensor:
        """Return the signal [b, c, n] that the network answers to ones: zeros would teach less."""
        weight = next(self.unet.parameters())
        return velocity(weight.new_ones(tuple(shape)), weight.new_ones(shape[0]))
