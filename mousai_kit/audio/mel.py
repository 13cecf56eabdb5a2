"""Mel: log-mel spectrograms.

Legend: c channels, t time in samples.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor


def log_mel(
    wave: Tensor, sample_rate: int, *, n_fft: int = 2048, hop: int = 512, bands: int = 128
) -> Tensor:
    """Return a log-mel spectrogram [..., bands, frames] in dB of audio [..., t], floor -80 dB.

    Power in `bands` mel bands from 0 Hz to half the sample rate, Hann window, centred frames.
    """
    flat = wave.float().reshape(-1, wave.shape[-1])
    padding = "reflect" if wave.shape[-1] > n_fft // 2 else "constant"
    power = mel_power(flat, sample_rate, n_fft=n_fft, hop=hop, bands=bands, padding=padding)
    return decibels(power).reshape(*wave.shape[:-1], bands, -1)


def mel_power(
    wave: Tensor, sample_rate: int, *, n_fft: int, hop: int, bands: int, padding: str | None = None
) -> Tensor:
    """Return the power [..., bands, frames] of audio [..., t], float32.

    `padding` centres frames, beyond the ends as torch's pad modes have it; None pads nothing.
    """
    spectrum = torch.stft(
        wave,
        n_fft,
        hop,
        window=torch.hann_window(n_fft, device=wave.device),
        center=padding is not None,
        pad_mode=padding or "constant",
        normalized=True,
        return_complex=True,
    )
    filters = _mel_filters(n_fft // 2 + 1, bands, sample_rate).to(wave.device)
    return filters @ spectrum.abs().square()


def decibels(power: Tensor) -> Tensor:
    """Return power in dB, floor -80 dB."""
    return 10 * power.clamp(min=1e-8).log10()


def slaney_mel(hertz: float) -> float:
    """Return a frequency in mels of Slaney's scale: linear to 1 kHz, logarithmic above."""
    linear = 3 * hertz / 200
    return linear if hertz < 1000 else 15 + 27 * math.log(hertz / 1000) / math.log(6.4)


@lru_cache(maxsize=8)
def _mel_filters(bins: int, bands: int, sample_rate: int) -> Tensor:
    """Return mel filters [bands, bins]."""
    from mousai_kit.pure_torchaudio import torchaudio

    filters: Tensor = torchaudio.functional.melscale_fbanks(
        bins, 0.0, sample_rate / 2, bands, sample_rate, norm="slaney", mel_scale="slaney"
    )
    return filters.T.contiguous() * (sample_rate / bins / 2)
