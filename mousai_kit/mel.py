"""Mel: log-mel spectrograms, and pictures of them.

Legend: c channels, t time in samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor


def log_mel(
    wave: Tensor, sample_rate: int, *, n_fft: int = 2048, hop: int = 512, bands: int = 128
) -> Tensor:
    """Return a log-mel spectrogram [..., bands, frames] in dB of audio [..., t], floor -80 dB.

    Power in `bands` mel bands from 0 Hz to half the sample rate, Hann window, centred frames.
    """
    window = torch.hann_window(n_fft, device=wave.device)
    flat = wave.float().reshape(-1, wave.shape[-1])
    padding = "reflect" if wave.shape[-1] > n_fft // 2 else "constant"
    spectrum = torch.stft(
        flat, n_fft, hop, window=window, pad_mode=padding, normalized=True, return_complex=True
    )
    filters = _mel_filters(n_fft // 2 + 1, bands, sample_rate).to(wave.device)
    power = filters @ spectrum.abs().square()
    return (10 * power.clamp(min=1e-8).log10()).reshape(*wave.shape[:-1], bands, -1)


@lru_cache(maxsize=8)
def _mel_filters(bins: int, bands: int, sample_rate: int) -> Tensor:
    """Return mel filters [bands, bins]."""
    from mousai_kit.pure_torchaudio import torchaudio

    filters: Tensor = torchaudio.functional.melscale_fbanks(
        bins, 0.0, sample_rate / 2, bands, sample_rate, norm="slaney", mel_scale="slaney"
    )
    return filters.T.contiguous() * (sample_rate / bins / 2)


def picture(path: Path, waves: Mapping[str, Tensor], *, sample_rate: int) -> None:
    """Draw a mel picture (PNG): one panel per titled piece of audio [c, t], channels averaged."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.2 * len(waves)), layout="constrained")
    FigureCanvasAgg(figure)
    for number, (title, wave) in enumerate(waves.items(), 1):
        axes = figure.add_subplot(len(waves), 1, number)
        mel = log_mel(wave.mean(0), sample_rate, n_fft=4096, hop=1024, bands=160).cpu().numpy()
        shown = axes.imshow(
            mel,
            origin="lower",
            aspect="auto",
            cmap="magma",
            vmin=mel.max() - 70,
            extent=(0, wave.shape[-1] / sample_rate, 0, mel.shape[0]),
        )
        axes.set_title(_drawable(title), fontsize=9, loc="left")
        axes.set_ylabel("mel band")
        figure.colorbar(shown, ax=axes, label="dB", pad=0.01)
    axes.set_xlabel("seconds")
    figure.savefig(path, dpi=110)


def _drawable(title: str) -> str:
    """Return a title on one line that matplotlib takes literally and whose letters it has."""
    line = " ".join(title.split())
    line = "".join(c if c.isprintable() and c < "\u0250" else "?" for c in line)
    line = line if len(line) <= 110 else f"{line[:107]}..."
    return line.replace("$", r"\$")
