"""Domains: audio as it is, and the MDCT, slowly changing, decorrelated bands.

Legend: b batch, c channels, t time in samples, n frames, k bands of one channel.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import pi

import torch
from einops import rearrange
from torch import Tensor

import mousai_kit.api as mk

QUIET = 1e-4
"""Amplitude (-80 dB of full scale) of a sine; bands that hold less are not scaled up further."""


class Waveform(mk.Domain):
    """Audio itself, the paper's domain."""

    name = "waveform"

    def __init__(self, options: mk.Options, *, audio_channels: int) -> None:
        super().__init__(options, audio_channels=audio_channels)
        self.channels, self.stride = audio_channels, 1
        self.layout = mk.ChannelLayout(1, audio_channels)

    def forward(self, wave: Tensor) -> Tensor:
        """Return the audio [b, c, t]."""
        return wave

    def inverse(self, x: Tensor, length: int) -> Tensor:
        """Return the audio's first `length` samples [b, c, length]."""
        return x[..., :length]


class MDCT(mk.Domain):
    """Orthonormal MDCT, companded and scaled per band to unit variance.

    Orthonormal, so white noise stays white and diffusion is still diffusion of the signal. A frame
    of t / hop has `hop` bands of each audio channel. It is computed as rotations across the borders
    of blocks followed by a DCT-IV in each block (Malvar, 1992), which is invertible to the last
    sample of any whole number of blocks. The scales are measured before training.
    """

    name = "mdct"
    context_frames = 1  # a block's border is rotated with its neighbour's

    class Options(mk.Options):
        """Options of `domain: mdct`."""

        hop: int = mk.Field(
            1024, ge=16, le=8192, multiple_of=2, description="samples per frame = bands per channel"
        )
        exponent: float = mk.Field(
            0.5, gt=0, le=1, description="companding sign(X)|X|^exponent; 1 leaves X as it is"
        )
        mid_side: bool = mk.Field(
            True, description="show stereo as (left + right, left - right) / sqrt 2"
        )

        emphasis: float | None = mk.Field(
            None,
            gt=0,
            description="the error in band k counts as 1 / (emphasis + k), as bands do on a mel "
            "scale (700 Hz is band 60 of 2048 at 48 kHz); null: all bands alike",
        )

    scale: Tensor
    """[c * k] standard deviation of the companded coefficients, measured."""

    def __init__(self, options: Options, *, audio_channels: int) -> None:
        super().__init__(options, audio_channels=audio_channels)
        self.stride, self.exponent = options.hop, options.exponent
        self.channels = audio_channels * options.hop
        self.layout = mk.ChannelLayout(options.hop, audio_channels)
        self.mid_side = options.mid_side and audio_channels == 2
        self.register_buffer("scale", torch.ones(self.channels))
        self.emphasis = options.emphasis

    def forward(self, wave: Tensor) -> Tensor:
        """Return scaled coefficients [b, c * k, n] of audio [b, c, t], n = t / hop."""
        return self._compand(wave) / self.scale[:, None]

    def inverse(self, x: Tensor, length: int) -> Tensor:
        """Return the audio [b, c, length] of scaled coefficients x [b, c * k, n]."""
        x = x.float() * self.scale[:, None]
        coefficients = x.sign() * x.abs() ** (1 / self.exponent)
        blocks = rearrange(coefficients, "b (c k) n -> b c n k", k=self.stride)
        wave = rearrange(_fold_windows(dct_iv(blocks), back=True), "b c n k -> b c (n k)")
        return self._mid_side(wave)[..., :length]

    def channel_weights(self) -> Tensor | None:
        """Return how much each coefficient's error counts [c * k], 1 on average."""
        if self.emphasis is None:
            return None
        bands = torch.arange(self.channels, device=self.scale.device) % self.stride
        weights = 1 / (self.emphasis + bands)
        return weights / weights.mean()

    def fit_statistics(self, waves: Iterable[Tensor]) -> None:
        """Measure each band's scale over audio [b, c, t]; neighbouring bands share in it."""
        total, count = torch.zeros_like(self.scale), 0
        for wave in waves:
            x = self._compand(wave)
            total += x.square().sum((0, 2))
            count += x.shape[0] * x.shape[2]
        mean = rearrange(total / max(count, 1), "(c k) -> c k", k=self.stride)
        power = _smooth(mean)
        silence = (QUIET * self.stride**0.5) ** self.exponent
        self.scale.copy_(power.flatten().sqrt().clamp(min=silence))

    def _compand(self, wave: Tensor) -> Tensor:
        """Return sign(X)|X|^exponent of the coefficients X as [b, c * k, n]."""
        blocks = rearrange(self._mid_side(wave.float()), "b c (n k) -> b c n k", k=self.stride)
        x = rearrange(dct_iv(_fold_windows(blocks)), "b c n k -> b (c k) n")
        return x.sign() * x.abs() ** self.exponent

    def _mid_side(self, wave: Tensor) -> Tensor:
        """Return left and right as mid and side, or the other way: it is its own inverse."""
        if not self.mid_side:
            return wave
        left, right = wave.unbind(1)
        return torch.stack([left + right, left - right], 1) * 0.5**0.5


def dct_iv(x: Tensor) -> Tensor:
    """Return the orthonormal DCT-IV over the last dimension; it is its own inverse."""
    size = x.shape[-1]
    n = torch.arange(size, device=x.device, dtype=x.dtype)
    before = torch.polar(torch.ones_like(n), -pi * n / (2 * size))
    after = torch.polar(torch.ones_like(n), -pi * (n + 0.5) / (2 * size))
    spectrum = torch.fft.fft(x * before, n=2 * size)[..., :size]
    return (spectrum * after).real * (2 / size) ** 0.5


def _fold_windows(blocks: Tensor, *, back: bool = False) -> Tensor:
    """Rotate the samples on either side of each border of blocks [b, c, n, size] (sine window)."""
    size = blocks.shape[-1]
    half = size // 2
    angle = pi / (2 * size) * (torch.arange(half, device=blocks.device) + half + 0.5)
    near, far = angle.sin(), angle.cos() * (-1 if back else 1)
    left, right = blocks[..., :-1, half:].flip(-1), blocks[..., 1:, :half]
    result = blocks.clone()
    result[..., 1:, :half] = near * right + far * left
    result[..., :-1, half:] = (near * left - far * right).flip(-1)
    return result


def _smooth(power: Tensor) -> Tensor:
    """Return power [c, k] averaged over an eighth of each band's frequency to either side."""
    total = torch.nn.functional.pad(power.cumsum(-1), (1, 0))
    bands = torch.arange(power.shape[-1], device=power.device)
    reach = (bands // 8).clamp(min=1)
    low = (bands - reach).clamp(min=0)
    high = (bands + reach + 1).clamp(max=power.shape[-1])
    return (total[:, high] - total[:, low]) / (high - low)
