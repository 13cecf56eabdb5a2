"""The lower stage without diffusion: log power through a latent, played by Griffin-Lim.

Legend: b batch, c channels, t samples, n frames, k bins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from einops import rearrange
from torch import Tensor
from torch.nn.functional import avg_pool1d

import mousai_kit.api as mk
from mousai_kit_mousai.autoencoder_base import AudioStage
from mousai_kit_mousai.band_split import QUIETEST
from mousai_kit_mousai.envelope_player import EnvelopePlayer, Halves
from mousai_kit_mousai.layers.band_split import FLOOR, BandSplitSpectrum, SpectrumOptions
from mousai_kit_mousai.layers.residual_map import ResidualMap, least_squares

POOLED = (3, 12)
"""Neighbouring bins whose power counts together, beside each bin's own."""
FAINTEST = 1e-4
"""Deviations of a latent's channel are not scaled up from less: it is silent."""
LEAST = 0.01
"""Share of the most telling channel's deviation that every channel is left with."""
SURE = 0.75
"""Share of what two windows have in common in which the later one keeps to the earlier."""
SHORTEST = 8
"""Latent frames that a window has at least: what two have in common is an eighth."""


class EnvelopeAutoencoder(AudioStage):
    """Autoencoder of log power, played by Griffin-Lim: learned in minutes, on one core.

    The latent tells how loud each bin is, and a network reads it: no diffusion, no phases.
    `fit_statistics` finds the best linear reading at once, so that pitch is there at once.
    Phases begin as those of lines, or of noise, and are made to agree (Nenov et al., 2023).
    """

    name = "envelope-autoencoder"
    never_change_weights = ("low_rounds", "high_rounds", "contrast")

    class Options(SpectrumOptions):
        """Options of `stage: envelope-autoencoder`."""

        encoder: mk.Use[mk.SpectralEncoder] = mk.default("band-split")
        channels: int = mk.Field(
            512, ge=8, multiple_of=8, description="channels inside the decoding network"
        )
        blocks: int = mk.Field(1, ge=0, description="ResNet blocks of the decoding network")
        low_rounds: int = mk.Field(
            12, ge=0, le=1000, description="rounds of Griffin-Lim below the crossover"
        )
        high_rounds: int = mk.Field(
            3, ge=0, le=1000, description="rounds of Griffin-Lim above the crossover"
        )
        contrast: float = mk.Field(
            1.0,
            ge=1,
            le=3,
            description="how far lines stand out of the bins around them, below the crossover: 1: "
            "as the network says, whose lines are fainter than music's",
        )
        emphasis: float = mk.Field(
            0.0,
            ge=0,
            le=1,
            description="how far a latent channel's deviation tells what hangs on it: 0: all "
            "deviate alike; 1: as far as each changes the log power",
        )

    mean: Tensor
    deviation: Tensor
    latent_deviation: Tensor
    channel_weights: Tensor

    def __init__(self, options: Options, *, input_space: mk.SignalSpace) -> None:
        super().__init__(options, input_space=input_space)
        if input_space.channels > 2:
            raise mk.PluginError(f"{self.name} knows mono and stereo (got {input_space.channels})")
        self.build_encoder(options.encoder)
        self.spectrum = BandSplitSpectrum(
            options,
            audio_channels=input_space.channels,
            sample_rate=input_space.sample_rate,
            hop=self.encoder.downsampling,
        )
        self.player = EnvelopePlayer(
            self.spectrum,
            low_rounds=options.low_rounds,
            high_rounds=options.high_rounds,
            contrast=options.contrast,
        )
        self.emphasis, features = options.emphasis, self.spectrum.features
        self.decoder = ResidualMap(
            self.encoder.channels, features, channels=options.channels, blocks=options.blocks
        )
        self.register_buffer("mean", torch.zeros(features, 1))
        self.register_buffer("deviation", torch.ones(features, 1))
        self.register_buffer("latent_deviation", torch.ones(self.encoder.channels, 1))
        self.register_buffer("channel_weights", self.spectrum.channel_weights(), persistent=False)

    @torch.no_grad()
    def fit_statistics(self, signals: Iterable[Tensor], captions: Sequence[str]) -> None:
        """Measure the spectra of audio [b, c, t], and read them from the latent by least squares.

        The audio is kept in memory meanwhile.
        """
        waves = [*self.prepare_encoder(signals)]
        if not waves:
            return
        features = torch.cat([rearrange(self.spectrum(wave), "b c n -> (b n) c") for wave in waves])
        self.mean.copy_(features.mean(0)[:, None])
        self.deviation.copy_(features.std(0, correction=0).clamp(min=QUIETEST)[:, None])
        latents = torch.cat([rearrange(self.encoder(wave), "b c n -> (b n) c") for wave in waves])
        self.latent_deviation.copy_(latents.std(0, correction=0).clamp(min=FAINTEST)[:, None])
        normalised = (features - self.mean.T) / self.deviation.T
        self.decoder.fit(*least_squares(latents / self.latent_deviation.T, normalised))

    def reconstruction_loss(self, wave: Tensor, latent: Tensor, noise: mk.NoiseSource) -> Tensor:
        """Return the distance of log power per clip [b] for audio [b, c, t]; nothing is random."""
        with torch.no_grad():
            target = self.spectrum(wave)
        answer = self._features(latent)
        errors = (answer - target).abs() * self.channel_weights[:, None]
        return (errors.sum(1) + self._pooled_errors(answer, target)).mean(1)

    def encode(self, signal: Tensor) -> Tensor:
        """Return the latents [b, latent_space.channels, frames] of audio [b, c, t], in [-1, 1]."""
        return super().encode(signal) * self._latent_scale()

    def stream_latents(
        self, latents: mk.SignalStream, request: mk.GenerationRequest
    ) -> Iterator[Tensor]:
        """Yield the audio [b, c, n] window by window; each goes on with the phases of the last."""
        windows = self._windows(request)
        samples = [mk.scale_range(window, self.latent_space.stride) for window in windows]
        missing = request.samples
        for piece in mk.overlap_add(samples, self._play(latents, windows, request)):
            yield piece[..., :missing]
            missing -= min(missing, piece.shape[-1])

    @property
    def nfe(self) -> int:
        """Return how many rounds of Griffin-Lim a window takes."""
        return self.player.rounds

    def _latent_scale(self) -> Tensor:
        """Return what latents are multiplied with [c, 1], 1 at most.

        It is a power of how far the log power deviates with each, as the decoder's linear part has
        it: a frozen autoencoder's stays the same.
        """
        weight = self.decoder.linear.weight.detach().flatten(1)
        errors = (weight * self.deviation).square() * self.channel_weights[:, None]
        deviation = errors.sum(0).sqrt()
        share = deviation / deviation.max().clamp(min=FAINTEST)
        return share.clamp(min=LEAST).pow(self.emphasis)[:, None]

    def _features(self, latent: Tensor) -> Tensor:
        """Return the features [b, features, n] that a latent [b, c, n] tells, float32."""
        answer: Tensor = self.decoder(latent / self.latent_deviation).float()
        return answer * self.deviation + self.mean

    def _pooled_errors(self, answer: Tensor, target: Tensor) -> Tensor:
        """Return the errors [b, n] of the power of several low bins together.

        The log of a bin's power scatters; that of several bins' is what is heard of noise.
        """
        bins, errors = self.spectrum.low_bins, answer.new_zeros(len(answer), answer.shape[-1])
        importance = self.channel_weights[:bins]
        for width in POOLED:
            if width <= bins:
                ours, theirs = (_pool(power[:, :bins], width) for power in (answer, target))
                weights = avg_pool1d(importance[None, None], width)[0, 0] * width
                errors = errors + 0.5 * ((ours - theirs).abs() * weights[:, None]).sum(1)
        return errors

    def _windows(self, request: mk.GenerationRequest) -> list[range]:
        """Return the windows in latent frames."""
        longest, first = (
            length and max(SHORTEST, self.latent_space.frames(length))
            for length in (request.window, request.first_window)
        )
        frames = self.latent_space.frames(request.samples)
        return mk.overlapping_windows(frames, longest, first=first)

    def _play(
        self, latents: mk.SignalStream, windows: Sequence[range], request: mk.GenerationRequest
    ) -> Iterator[Tensor]:
        """Yield the audio of each window, whose phases go on from those of the one before."""
        known: Halves | None = None
        scale = self._latent_scale()
        ends = [*(window.start for window in windows[1:]), windows[-1].stop]
        for number, (window, end) in enumerate(zip(windows, ends, strict=True)):
            part = mk.scale_range(window, self.latent_space.stride)
            latent = latents.window(window.start, window.stop) / scale
            features = self._features(latent)
            noise = request.noise([part.start]).normal(len(part)).to(features)
            # None are made together: those that count as one report the rounds of the first.
            tick = request.tick if number % request.together == 0 else lambda: None
            halves = self.player.halves(features, noise, known=known, tick=tick)
            yield self.player.play(halves, features)
            first = end - window.start
            known = self._cut_between(halves, first, first + round(SURE * (window.stop - end)))

    def _cut_between(self, halves: Halves, first: int, last: int) -> Halves | None:
        """Return what lies between two frames; None where that is nothing."""
        if last <= first:
            return None
        stride = self.latent_space.stride
        slow = stride // self.player.decimation
        return Halves(
            halves.low[:, first * slow : last * slow],
            halves.high[:, first * stride : last * stride],
        )


def _pool(power: Tensor, width: int) -> Tensor:
    """Return the log of the mean power of so many neighbours of log power [b, k, n]."""
    rows = power.exp().transpose(1, 2)
    return (avg_pool1d(rows, width) + FLOOR).log().transpose(1, 2)
