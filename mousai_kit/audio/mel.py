"""Mel: log-mel spectrograms, and pictures of them.

Legend: c channels, t time in samples.
"""

from __future__ import annotations

import math
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
    """Draw a mel picture (PNG): one panel per titled piece of audio [c, t], channels averaged.

    All panels have the same colours: 70 dB down from the loudest point of the first.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.2 * len(waves)), layout="constrained")
    FigureCanvasAgg(figure)
    mels = [_fine_mel(wave, sample_rate) for wave in waves.values()]
    loudest = float(mels[0].max())
    rows = figure.subplots(len(waves), 1, squeeze=False)[:, 0]
    for axes, title, wave, mel in zip(rows, waves, waves.values(), mels, strict=True):
        shown = axes.imshow(
            mel.numpy(),
            origin="lower",
            aspect="auto",
            cmap="magma",
            vmin=loudest - 70,
            vmax=loudest,
            extent=(0, wave.shape[-1] / sample_rate, 0, len(mel)),
        )
        axes.set_title(_drawable(title), fontsize=9, loc="left")
        axes.set_yticks(*_frequency_ticks(len(mel), sample_rate))
        axes.set_ylabel("Hz (mel scale)")
        figure.colorbar(shown, ax=axes, label="dB", pad=0.01)
    rows[-1].set_xlabel("seconds")
    figure.savefig(path, dpi=110)


def _fine_mel(wave: Tensor, sample_rate: int) -> Tensor:
    """Return a log-mel spectrogram [bands, frames] of audio [c, t] with windows of about 85 ms."""
    n_fft = 2 ** round(math.log2(0.085 * sample_rate))
    mono = wave.detach().float().cpu().mean(0)
    return log_mel(mono, sample_rate, n_fft=n_fft, hop=n_fft // 4, bands=160)


def _frequency_ticks(bands: int, sample_rate: int) -> tuple[list[float], list[str]]:
    """Return places and labels for some frequencies on an axis of mel bands."""
    known = {100: "100", 300: "300", 1000: "1k", 3000: "3k", 10_000: "10k"}
    top = _slaney_mel(sample_rate / 2)
    shown = {hertz: label for hertz, label in known.items() if hertz < sample_rate / 2}
    return [bands * _slaney_mel(hertz) / top for hertz in shown], list(shown.values())


def _slaney_mel(hertz: float) -> float:
    """Return a frequency in mels of Slaney's scale: linear to 1 kHz, logarithmic above."""
    linear = 3 * hertz / 200
    return linear if hertz < 1000 else 15 + 27 * math.log(hertz / 1000) / math.log(6.4)


def _drawable(title: str) -> str:
    """Return a title on one line that matplotlib takes literally and whose letters it has."""
    line = " ".join(title.split())
    line = "".join(c if c.isprintable() and c < "\u0250" else "?" for c in line)
    line = line if len(line) <= 110 else f"{line[:107]}..."
    return line.replace("$", r"\$")
