"""Magnitude and mel spectra of a wave. b batch, c channels, t samples, l frames."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mousai_kit.api as mk


class MagnitudeSpectrum(nn.Module):
    """Magnitudes of centred, normalised Hann frames, or their logarithms, floored at 1e-5."""

    window: Tensor

    def __init__(self, *, n_fft: int, hop_length: int, log: bool) -> None:
        super().__init__()
        self.log = log
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.bins = n_fft // 2 + 1
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)

    def forward(self, wave: Tensor) -> Tensor:
        """Map a wave [b, c, t] to magnitudes [b, c * bins, l], l = t / hop_length rounded up."""
        frames = -(-wave.shape[2] // self.hop_length)
        magnitude = _magnitude(
            wave, self.window, self.n_fft // 2, hop_length=self.hop_length, normalized=True
        )
        magnitude = magnitude[..., :frames].flatten(1, 2)
        return magnitude.clamp(min=1e-5).log() if self.log else magnitude


class LogMelSpectrum(nn.Module):
    """Natural logarithms of mel bands, floored at 1e-5; frames lie between the hops."""

    window: Tensor
    bands: Tensor

    def __init__(self, *, n_fft: int, hop_length: int, mels: int, sample_rate: int) -> None:
        super().__init__()
        self.hop_length = hop_length
        self.padding = (n_fft - hop_length) // 2
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        bands = _mel_bands(n_fft // 2 + 1, mels, sample_rate)
        self.register_buffer("bands", bands.to(self.window.device), persistent=False)

    def forward(self, wave: Tensor) -> Tensor:
        """Map a wave [b, c, t] to log mel bands [b, c * mels, l], l = t / hop_length."""
        magnitude = _magnitude(
            wave, self.window, self.padding, hop_length=self.hop_length, normalized=False
        )
        return (self.bands @ magnitude).clamp(min=1e-5).log().flatten(1, 2)


def _magnitude(
    wave: Tensor, window: Tensor, padding: int, *, hop_length: int, normalized: bool
) -> Tensor:
    """Return magnitudes [b, c, bins, l] of a wave [b, c, t] mirrored by `padding` at both ends."""
    if wave.shape[2] <= padding:  # too short to mirror
        wave = F.pad(wave, (0, padding + 1 - wave.shape[2]))
    padded = F.pad(wave, (padding, padding), mode="reflect")
    spectrum = torch.stft(
        padded.flatten(0, 1),
        n_fft=len(window),
        hop_length=hop_length,
        window=window,
        center=False,
        normalized=normalized,
        return_complex=True,
    )
    return spectrum.abs().unflatten(0, wave.shape[:2])


def _mel_bands(bins: int, mels: int, sample_rate: int) -> Tensor:
    """Return triangular filters [mels, bins] on the HTK mel scale, always on the CPU.

    torchaudio looks at their values, which a model built on the meta device would not have.
    """
    with torch.device("cpu"):
        filters: Tensor = mk.torchaudio.functional.melscale_fbanks(
            bins, 0.0, sample_rate / 2, mels, sample_rate
        )
    return filters.T.contiguous()
