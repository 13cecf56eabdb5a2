"""Plays log power at two resolutions: phases are found by Griffin-Lim, stereo follows the mid.

Legend: b batch, t samples, n frames, k bins, m bands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import pi

import torch
from torch import Tensor, nn

import mousai_kit.api as mk
from mousai_kit_mousai.layers.band_split import FLOOR, BandSplitSpectrum, energy, ramps
from mousai_kit_mousai.phases import advance_phases

SHORTEST, LONGEST = 0.004, 0.014
"""Delays (s) that make a copy of the mid into a side channel that is none."""
SWING = 350.0
"""Hz over which the delay swings by a radian: an even one would be heard as a comb."""
STRIDE = 1.25
"""How far a round of Griffin-Lim goes, beside one that goes to what it finds."""
SILENT = 1e-6
"""What noise counts beside known samples: it decides where they are silent alone."""
AROUND = 0.7
"""Share of a critical band that the surroundings are wide which `contrast` brings bins out of."""


@dataclass(frozen=True, slots=True)
class Halves:
    """Mono waves below and above the crossover: `low` [b, t / decimation] and `high` [b, t]."""

    low: Tensor
    high: Tensor


class EnvelopePlayer(nn.Module):
    """Turns features of a `BandSplitSpectrum` into audio; nothing is learned, no gradient passes.

    What lies below the crossover is made at a lower rate, which takes a fraction of the time. The
    side channel is made of the mid: what the channels have in opposite phase alone is lost.
    """

    spread: Tensor
    stereo_spread: Tensor
    delays: Tensor
    slow_window: Tensor
    around: Tensor

    def __init__(
        self, spectrum: BandSplitSpectrum, *, low_rounds: int, high_rounds: int, contrast: float
    ) -> None:
        super().__init__()
        self.spectrum, self.decimation = spectrum, _decimation(spectrum)
        self.low_rounds, self.high_rounds, self.contrast = low_rounds, high_rounds, contrast
        self.register_buffer("spread", ramps(spectrum.edges), persistent=False)
        self.register_buffer("stereo_spread", ramps(spectrum.stereo_edges), persistent=False)
        self.register_buffer(
            "slow_window", torch.hann_window(spectrum.low // self.decimation), persistent=False
        )
        around = surroundings(spectrum.low_bins, spectrum.sample_rate / spectrum.low)
        self.register_buffer("around", around, persistent=False)
        hertz = torch.arange(1, spectrum.low // 2) * spectrum.sample_rate / spectrum.low
        swing = torch.sin(hertz / SWING).mul(0.5).add(0.5)
        angle = -2 * pi * hertz * (SHORTEST + (LONGEST - SHORTEST) * swing)
        self.register_buffer("delays", angle, persistent=False)

    @property
    def rounds(self) -> int:
        """Return how many rounds of Griffin-Lim a window takes."""
        return self.low_rounds + self.high_rounds

    @torch.no_grad()
    def halves(
        self, features: Tensor, noise: Tensor, *, known: Halves | None, tick: Callable[[], None]
    ) -> Halves:
        """Return the mid channel for features [b, features, n], from the phases of noise [b, t].

        t is n * hop. Waves that begin with `known` keep it. `tick` is called after each round.
        """
        with mk.without_autocast(features.device):
            low, high, *_ = self.spectrum.split(features)
            return Halves(
                self._make_low(low, noise, None if known is None else known.low, tick),
                self._make_high(high, noise, None if known is None else known.high, tick),
            )

    @torch.no_grad()
    def play(self, halves: Halves, features: Tensor) -> Tensor:
        """Return audio [b, 1 or 2, t] of both halves and the facts of stereo in the features."""
        with mk.without_autocast(features.device):
            mid = self._upsample(halves.low) + halves.high
            if not self.spectrum.two:
                return mid[:, None]
            side = self._make_side(mid, features)
            return torch.stack([mid + side, mid - side], 1)

    def _make_low(
        self, power: Tensor, noise: Tensor, known: Tensor | None, tick: Callable[[], None]
    ) -> Tensor:
        """Return the wave [b, t / decimation] of log power [b, k, n] in the low bins."""
        spectrum, less = self.spectrum, self.decimation
        bins = spectrum.low // less // 2 + 1
        power = sharpen(_repeat_last(power), self.around, self.contrast)
        magnitude = power.div(2).exp_().mul_(energy(spectrum.low_window) ** 0.5 / less)
        angle = self._line_phases(power, noise[:, ::less], known)
        start = _among_zeros(torch.polar(magnitude, angle), 1, bins)
        return mk.griffin_lim(
            _among_zeros(magnitude, 1, bins),
            mk.inverse_stft(start, self.slow_window, spectrum.hop // less),
            window=self.slow_window,
            hop=spectrum.hop // less,
            rounds=self.low_rounds,
            stride=STRIDE,
            known=known,
            tick=tick,
        )

    def _line_phases(self, power: Tensor, noise: Tensor, known: Tensor | None) -> Tensor:
        """Return the phases [b, k, n] with which lines go on, of log power in the low bins.

        They agree with the last frame that is `known` whole, and are those of noise [b, t] where
        nothing is, or silence.
        """
        width, hop = len(self.slow_window), self.spectrum.hop // self.decimation
        begin, last = torch.fft.rfft(noise[:, :width], width) * SILENT, 0
        if known is not None and (moment := known.shape[1] - width // 2) >= width // 2:
            last = moment // hop
            around = slice(last * hop - width // 2, last * hop + width // 2)
            begin = begin + torch.fft.rfft(known[:, around] * self.slow_window)
        angle = advance_phases(power, first=1, width=width, hop=hop)
        there = begin.angle()[:, 1 : power.shape[1] + 1, None]
        return angle + (there - angle[..., last : last + 1])

    def _make_high(
        self, power: Tensor, noise: Tensor, known: Tensor | None, tick: Callable[[], None]
    ) -> Tensor:
        """Return the wave [b, t] of log power [b, m, n * parts] in the bands above."""
        spectrum = self.spectrum
        bins = _map_bins(self.spread, _repeat_last(power)).div_(2).exp_()
        bins.mul_(energy(spectrum.high_window) ** 0.5)
        return mk.griffin_lim(
            _among_zeros(bins, spectrum.first, spectrum.high // 2 + 1),
            noise,
            window=spectrum.high_window,
            hop=spectrum.high // 4,
            rounds=self.high_rounds,
            stride=STRIDE,
            known=known,
            tick=tick,
        )

    def _upsample(self, low: Tensor) -> Tensor:
        """Return a wave [b, t] at the full rate of one [b, t / decimation]."""
        spectrum, less = self.spectrum, self.decimation
        found = mk.stft(low, self.slow_window, spectrum.hop // less)
        told = found[:, 1 : spectrum.low_bins + 1] * less
        whole = _among_zeros(told, 1, spectrum.low // 2 + 1)
        return mk.inverse_stft(whole, spectrum.low_window, spectrum.hop)

    def _make_side(self, mid: Tensor, features: Tensor) -> Tensor:
        """Return the side channel [b, t]: of the mid [b, t] as it is, and of the mid delayed."""
        spectrum = self.spectrum
        _, _, level, likeness = spectrum.split(features)
        found = mk.stft(mid, spectrum.low_window, spectrum.hop)[:, 1 : spectrum.low // 2]
        share, alike = (
            _map_bins(self.stereo_spread, _repeat_last(fact)) for fact in (level, likeness)
        )
        share, alike = share.div_(2).exp_(), alike.clamp_(-1, 1)
        unlike = (1 - alike.square()).sqrt_().mul_(share)
        own, delays = alike.mul_(share), self.delays[:, None]
        turned = torch.complex(own.addcmul_(unlike, delays.cos()), unlike * delays.sin())
        side = _among_zeros(found.mul_(turned), 1, spectrum.low // 2 + 1)
        return mk.inverse_stft(side, spectrum.low_window, spectrum.hop)


def sharpen(power: Tensor, around: Tensor, contrast: float) -> Tensor:
    """Return log power [b, k, n] that differs from its surroundings' mean `contrast` times as much.

    The mean of bin k's surroundings is row k of `around` [k, k]. Their power together stays as it
    is. A network trained on the distance of log power tells a median, in which lines stand out less
    than they do in music.
    """
    if contrast == 1:
        return power
    mean = _map_bins(around, power)
    sharp = torch.lerp(mean, power, contrast)
    now = _map_bins(around, sharp.exp()).add_(FLOOR)
    gain = _map_bins(around, power.exp()).add_(FLOOR).div_(now)
    return gain.log_().add_(sharp)


def surroundings(bins: int, width: float) -> Tensor:
    """Return the matrix [k, k] that averages the bins, `width` Hz each, around every bin.

    So far as `AROUND` of a critical band goes (Zwicker & Terhardt, 1980).
    """
    hertz = torch.arange(1, bins + 1) * width
    band = 25 + 75 * (1 + 1.4 * (hertz / 1000) ** 2) ** 0.69
    near = (hertz[:, None] - hertz).abs() <= AROUND * band[:, None] / 2
    return near / near.sum(1, keepdim=True)


def _decimation(spectrum: BandSplitSpectrum) -> int:
    """Return by how much the rate can be lowered for the bins below the crossover, a power of 2."""
    decimation = 1
    while (
        spectrum.low // (4 * decimation) > spectrum.low_bins + 1
        and spectrum.low % (4 * decimation) == 0
        and spectrum.hop % (2 * decimation) == 0
    ):
        decimation *= 2
    return decimation


def _repeat_last(frames: Tensor) -> Tensor:
    """Return frames [b, k, n] with the last one once more: the frame at the end of the wave."""
    return torch.cat([frames, frames[..., -1:]], -1)


def _map_bins(matrix: Tensor, frames: Tensor) -> Tensor:
    """Return frames [b, k, n] of others [b, m, n] by a matrix [k, m].

    A frame's bins lie side by side in memory, as Fourier transforms read and write them.
    """
    return (frames.transpose(1, 2) @ matrix.T).transpose(1, 2)


def _among_zeros(part: Tensor, first: int, bins: int) -> Tensor:
    """Return so many bins [b, bins, n] in which a part [b, k, n] begins with bin `first`.

    A frame's bins lie side by side in memory.
    """
    whole = part.new_zeros(len(part), part.shape[2], bins).transpose(1, 2)
    whole[:, first : first + part.shape[1]] = part
    return whole
