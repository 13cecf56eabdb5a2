"""Griffin-Lim: a wave for magnitudes, whose phases agree with each other.

Legend: b batch, t samples, k bins, n frames, w samples under a window.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

MOMENTUM = 0.99
"""How far phases are carried on: the alpha that Perraudin et al. (2013) found best."""
DRIFT = 1.1
"""How far that is carried on which a round's stride begins from: the beta of Nenov et al."""
AT_ONCE = 2**18
"""Samples under the windows that a CPU transforms at a time: they stay in its cache."""
FAINTEST = 1e-24
"""Power under which a bin has no phase."""


@torch.no_grad()
def griffin_lim(
    magnitude: Tensor,
    start: Tensor,
    *,
    window: Tensor,
    hop: int,
    rounds: int,
    momentum: float = MOMENTUM,
    stride: float = 1.0,
    known: Tensor | None = None,
    tick: Callable[[], None] = lambda: None,
) -> Tensor:
    """Return waves [b, (n - 1) * hop] of about the magnitudes [b, k, n] of an STFT.

    The fast Griffin-Lim algorithm (Perraudin et al., 2013): phases begin as those of the waves
    `start` [b, (n - 1) * hop], and in each round become those of the wave they make, carried on by
    the momentum; with 0 it is the algorithm of Griffin and Lim (1984). With a `stride` above 1 it
    is the accelerated one (Nenov et al., 2023, arXiv 2306.12504): each round goes so much further
    than to what it finds; 1.25 suits ten rounds, 1.4 diverges. Waves that begin with the samples
    `known` [b, m] keep them. `tick` is called after each round. No gradient passes.
    """
    frames = _Frames.of(magnitude.transpose(1, 2).contiguous(), window, hop)
    found = c = d = t = frames.project(frames.pad(start), known)
    for _ in range(rounds):
        # An STFT is linear: waves are carried on in place of spectra, which are 8 times as large.
        found = frames.project(c, known)
        before, t = t, torch.lerp(d, found, stride)
        c, d = (torch.lerp(before, t, 1 + further) for further in (momentum, DRIFT))
        tick()
    return frames.cut(found)


def stft(wave: Tensor, window: Tensor, hop: int) -> Tensor:
    """Return the STFT [b, k, n] of waves [b, t], a frame around each hop; silence around them.

    A frame's bins lie side by side in memory.
    """
    return torch.stft(
        wave.float(),
        len(window),
        hop,
        window=window,
        pad_mode="constant",
        return_complex=True,
    )


def inverse_stft(spectrum: Tensor, window: Tensor, hop: int) -> Tensor:
    """Return the waves [b, (n - 1) * hop] whose STFT is nearest to one [b, k, n].

    It is fastest where a frame's bins lie side by side in memory.
    """
    width, count = len(window), spectrum.shape[2]
    wave = spectrum.real.new_zeros(len(spectrum), *_rows(width, hop, count))
    _overlap_add(wave, torch.fft.irfft(spectrum.transpose(1, 2), width), window)
    wave = wave.flatten(1) * _inverse_envelope(window, hop, count)
    return wave[:, width // 2 : width // 2 + _length(width, hop, count)]


@dataclass(frozen=True, slots=True)
class _Frames:
    """Magnitudes [b, n, k] of frames, each `hop` samples after the other, of padded waves."""

    magnitude: Tensor
    window: Tensor
    hop: int
    inverse_envelope: Tensor

    @classmethod
    def of(cls, magnitude: Tensor, window: Tensor, hop: int) -> _Frames:
        return cls(magnitude, window, hop, _inverse_envelope(window, hop, magnitude.shape[1]))

    def pad(self, wave: Tensor) -> Tensor:
        """Return a wave [b, t] in silence, as long as all frames are together."""
        before = len(self.window) // 2
        return F.pad(wave.float(), (before, len(self.inverse_envelope) - before - wave.shape[1]))

    def cut(self, wave: Tensor) -> Tensor:
        """Return a padded wave without what is around it."""
        before, count = len(self.window) // 2, self.magnitude.shape[1]
        return wave[:, before : before + _length(len(self.window), self.hop, count)].contiguous()

    def project(self, wave: Tensor, known: Tensor | None) -> Tensor:
        """Return the padded wave nearest to the magnitudes with the phases of one.

        It begins with what is known. Its frames are gone through a few at a time.
        """
        width, count = len(self.window), self.magnitude.shape[1]
        rows = wave.new_zeros(len(wave), *_rows(width, self.hop, count))
        at_once = max(1, AT_ONCE // (width * len(wave))) if wave.device.type == "cpu" else count
        whole = wave.unfold(1, width, self.hop)
        for first in range(0, count, at_once):
            part = slice(first, first + at_once)
            spectrum = torch.fft.rfft(whole[:, part] * self.window)
            power = (spectrum * spectrum.conj()).real
            spectrum *= power.clamp(min=FAINTEST).rsqrt_().mul_(self.magnitude[:, part])
            _overlap_add(rows[:, first:], torch.fft.irfft(spectrum, width), self.window)
        made = rows.flatten(1).mul_(self.inverse_envelope)
        if known is not None:
            made[:, width // 2 : width // 2 + known.shape[1]] = known
        return made


def _rows(width: int, hop: int, count: int) -> tuple[int, int]:
    """Return the shape of a wave in rows of a hop each, as long as all frames are together."""
    return count - 1 + -(-width // hop), hop


def _length(width: int, hop: int, count: int) -> int:
    """Return the samples that lie between the middles of the first and the last frame."""
    return (count - 1) * hop + width % 2


def _overlap_add(rows: Tensor, frames: Tensor, window: Tensor) -> None:
    """Add frames [b, n, w] under the window to a wave in rows of a hop [b, n or more, hop].

    The earliest frame is added first, so that it does not matter how many come at a time.
    """
    count, hop = frames.shape[1], rows.shape[2]
    for row in reversed(range(-(-len(window) // hop))):
        part = slice(row * hop, (row + 1) * hop)
        under = window[part]
        rows[:, row : row + count, : len(under)].addcmul_(frames[..., part], under)


def _inverse_envelope(window: Tensor, hop: int, count: int) -> Tensor:
    """Return what a wave is multiplied with that frames were added up to, 0 in the silence."""
    width = len(window)
    rows = window.new_zeros(1, *_rows(width, hop, count))
    _overlap_add(rows, window.expand(1, count, -1), window)
    inverse, begin = rows.flatten().clamp(min=1e-11).reciprocal(), width // 2
    inverse[:begin] = inverse[begin + _length(width, hop, count) :] = 0
    return inverse
