"""The lower stage: a diffusion autoencoder between audio and a short latent sequence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from pydantic import ValidationInfo, field_validator
from torch import Tensor

import mousai_kit.api as mk
from mousai_kit_mousai.autoencoder_base import AudioAutoencoder, WindowDecoder
from mousai_kit_mousai.envelope import (
    Envelope,
    EnvelopeOptions,
    EnvelopePreconditioner,
    gaussian_nll,
)
from mousai_kit_mousai.refining import DomainWindows


class DiffusionAutoencoder(AudioAutoencoder):
    """Diffusion autoencoder: an encoder and the diffusion that decodes it, learned as one.

    The encoder sees the audio; the network denoises the audio, shown in `domain`, given the latent
    (Schneider et al., 2023, section 3.2). With a `draft`, an autoencoder that is learned before,
    the latents are the draft's, and the diffusion begins from the sound that it makes of them.
    """

    name = "diffusion-autoencoder"
    never_change_weights = ("start", "refine")

    class Options(mk.Options):
        """Options of `stage: diffusion-autoencoder`."""

        draft: mk.Use[mk.Stage] | None = mk.Field(
            None,
            description="an autoencoder that is learned before, alone, whose latents these are and "
            "from whose sound the diffusion begins; null, as in the paper: none",
        )
        domain: mk.Use[mk.Domain] = mk.default("waveform")
        encoder: mk.Use[mk.SpectralEncoder] = mk.default("magnitude")
        unet: mk.Use[mk.UNet] = mk.default("unet1d")
        schedule: mk.Use[mk.Schedule] = mk.default("cosine")
        sampler: mk.Use[mk.Sampler] = mk.default("ddim")
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
        levels: float = mk.Field(
            1.0,
            gt=0,
            le=1,
            description="noise level up to which the network learns; below 1 it can only refine a "
            "`draft`",
        )
        start: float = mk.Field(
            0.3,
            gt=0,
            le=1,
            description="noise level from which the diffusion begins with a `draft`: the lower, "
            "the more of the draft stays",
        )
        refine: bool = mk.Field(True, description="false plays a `draft` as it is")

        @field_validator("encoder")
        @classmethod
        def _the_drafts(cls, encoder: mk.Use[Any], info: ValidationInfo) -> mk.Use[Any]:
            usual = cls.model_fields["encoder"].get_default(call_default_factory=True)
            options = encoder.options
            default = encoder.component.name == usual and options == type(options)()
            if info.data.get("draft") is not None and not default:
                raise ValueError(
                    "does not go with `draft`, whose own makes the latents; leave it out"
                )
            return encoder

        @field_validator("saturation")
        @classmethod
        def _for_an_encoder(cls, saturation: float, info: ValidationInfo) -> float:
            if info.data.get("draft") is not None and saturation:
                raise ValueError("does not go with `draft`, whose latents are learned before")
            return saturation

        @field_validator("levels")
        @classmethod
        def _check_levels(cls, levels: float, info: ValidationInfo) -> float:
            if info.data.get("draft", ...) is None and levels < 1:
                raise ValueError(f"must be 1 without a `draft` to begin from (got {levels:g})")
            return levels

        @field_validator("start")
        @classmethod
        def _check_start(cls, start: float, info: ValidationInfo) -> float:
            if start > (highest := info.data.get("levels", 1.0)):
                raise ValueError(
                    f"must not lie above `levels`, {highest:g}: the network learns no more noise "
                    f"(got {start:g})"
                )
            return start

    def __init__(self, options: Options, *, input_space: mk.SignalSpace) -> None:
        super().__init__(options, input_space=input_space)
        self.build_domain(options.domain)
        self.draft = None if options.draft is None else self._build_draft(options.draft)
        if self.draft is None:
            self.build_encoder(options.encoder)
        self.build_network(options.unet, inputs=1 if options.envelope is None else 2)
        self.envelope: Envelope | None = None
        self.envelope_weight = 0.0
        if options.envelope is not None:
            self.envelope = Envelope(
                options.envelope,
                latent_channels=self.latent_space.channels,
                channels=self.domain.channels,
            )
            self.envelope_weight = options.envelope.weight
        self.saturation, self.refine = options.saturation, options.refine
        self.levels = options.levels
        self.schedule = options.schedule.build()
        self.partway = None if self.draft is None else mk.Partway(self.schedule, options.start)
        self.sampler = options.sampler.build(schedule=self.partway or self.schedule)
        self.highest_level = 1.0 if self.partway is None else self.partway.highest

    @property
    def refines(self) -> mk.Stage | None:
        """Return the draft, if there is one."""
        return self.draft

    @property
    def nfe(self) -> int:
        """Return about how many evaluations of its network a window takes."""
        return self._played_draft.nfe if self._played_draft else super().nfe

    def train(self, mode: bool = True) -> DiffusionAutoencoder:
        """Set the mode of all but the draft, which has learned."""
        super().train(mode)
        if self.draft is not None:
            self.draft.eval()
        return self

    def encode(self, signal: Tensor) -> Tensor:
        """Return the latents [b, latent_space.channels, frames] of audio [b, c, t]."""
        return super().encode(signal) if self.draft is None else self.draft.encode(signal)

    def encode_padded(self, wave: Tensor) -> Tensor:
        """Return the latent [b, latent_space.channels, n] to learn from, of padded audio."""
        if self.draft is None:
            return super().encode_padded(wave)
        with torch.no_grad():
            return self.draft.encode(wave)

    def prepare_encoder(self, signals: Iterable[Tensor]) -> Iterable[Tensor]:
        """Let the encoder measure what it must; a draft's has done so when it learned."""
        if self.draft is None:
            return super().prepare_encoder(signals)
        return (self.pad_audio(signal) for signal in signals)

    def download(self) -> None:
        """Fetch what the draft needs, if there is one."""
        if self.draft is not None:
            self.draft.download()

    def reconstruction_loss(self, wave: Tensor, latent: Tensor, noise: mk.NoiseSource) -> Tensor:
        """Return the loss per clip [b] for padded audio [b, c, t], given a latent [b, c, n]."""
        x = self.domain(wave)
        velocity, log_deviation = self._velocity(latent, x.shape[-1])
        importance = self.domain.channel_weights()
        loss = mk.velocity_loss(
            velocity, x, self.schedule, noise, importance=importance, highest=self.levels
        )
        if log_deviation is not None:
            likelihood = mk.mean_per_clip(gaussian_nll(log_deviation, x), importance)
            loss = loss + self.envelope_weight * likelihood
        if self.saturation:
            loss = loss + self.saturation * _before_tanh(latent).square().mean((1, 2))
        return loss

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
        wave = self.pad_audio(signal)
        with torch.no_grad():
            latent, x = self.encode_padded(wave), self.domain(wave)
        velocity, _ = self._velocity(self.tell(latent, condition), x.shape[-1])
        return mk.Denoising(x, velocity, self.schedule, self.domain.channel_weights())

    def replace_sampler(self, sampler: mk.Use[mk.Sampler]) -> None:
        """Generate with another sampler from now on."""
        self.sampler = sampler.build(schedule=self.partway or self.schedule)

    def stream(self, latents: Tensor | None, request: mk.GenerationRequest) -> Iterator[Tensor]:
        """Yield the audio [b, c, n] piece by piece: the draft's, where it is played as it is."""
        played = self._played_draft
        yield from played.stream(latents, request) if played else super().stream(latents, request)

    def stream_latents(
        self, latents: mk.SignalStream, request: mk.GenerationRequest
    ) -> Iterator[Tensor]:
        """Yield the audio [b, c, n] piece by piece, made in windows with the same noise."""
        if self._played_draft is None:
            yield from super().stream_latents(latents, request)
        else:
            yield from self._played_draft.stream_latents(latents, request)

    def windows(self, request: mk.GenerationRequest) -> int:
        """Return in how many windows the audio is made."""
        played = self._played_draft
        return played.windows(request) if played else super().windows(request)

    def window_decoder(
        self, latents: mk.SignalStream, request: mk.GenerationRequest
    ) -> WindowDecoder:
        """Return what makes windows of latents, each of its stretch of the draft, if any."""
        if self.draft is None:
            return super().window_decoder(latents, request)
        whole = replace(request, samples=self._whole(request.samples), progress=None)
        pieces = self.draft.stream_latents(latents.fork(), whole)
        shown = DomainWindows(pieces, self.domain)

        def make(windows: Tensor, frames: int, starts: Sequence[int]) -> Tensor:
            draft = torch.cat([shown.window(start, frames) for start in starts])
            return self.decode_windows(windows, frames, starts, request, draft)

        return make

    def decode_windows(
        self,
        latents: Tensor,
        frames: int,
        starts: Sequence[int],
        request: mk.GenerationRequest,
        draft: Tensor | None = None,
    ) -> Tensor:
        """Return what the domain shows of windows of latents, from the noise of their places.

        And from the draft of them [n, channels, frames], where there is one.
        """
        levels, partway = self.sampler.levels(), self.partway
        source = request.noise(starts)
        noise = source.normal(self.domain.channels, frames).to(latents.device)
        if partway is None or draft is None:
            velocity, _ = self._velocity(latents, frames, levels)
        else:
            whole, _ = self._velocity(latents, frames, partway.highest * levels)
            velocity, noise = partway.scale_levels(whole), partway.add_noise(draft, noise)
        return self.sampler.sample(request.count_evaluations(velocity), noise, generator=source)

    def _build_draft(self, use: mk.Use[mk.Stage]) -> mk.Stage:
        """Build the draft, which has learned before; PluginError if it can't be one."""
        draft = use.build(input_space=self.input_space).requires_grad_(False)
        if draft.latent_space is None:
            raise mk.PluginError(f"a draft makes sound of latents; '{draft.name}' makes none")
        self.latent_space = draft.latent_space
        return draft

    @property
    def _played_draft(self) -> mk.Stage | None:
        """The draft, where it is played as it is."""
        return None if self.refine else self.draft

    def _velocity(
        self, latent: Tensor, frames: int, levels: Tensor | None = None
    ) -> tuple[mk.Velocity, Tensor | None]:
        """Return the velocity given a latent, and the envelope [b, c, frames] if there is one."""
        network = self.unet.bind(latent, None, levels=levels)
        if self.envelope is None:
            return network, None
        log_deviation = self.envelope(latent, frames)
        return EnvelopePreconditioner(network, log_deviation, self.schedule), log_deviation


def _before_tanh(latent: Tensor) -> Tensor:
    """Return what tanh made a latent in [-1, 1] of, as far as float32 tells."""
    return latent.float().clamp(-1 + 1e-6, 1 - 1e-6).atanh()
