"""Log-mel spectrograms, of audio of any length, and pictures of them.

Legend: c channels, t time in samples.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Self

import torch
from torch import Tensor
from torch.nn.functional import pad


def log_mel(
    wave: Tensor, sample_rate: int, *, n_fft: int = 2048, hop: int = 512, bands: int = 128
) -> Tensor:
    """Return a log-mel spectrogram [..., bands, frames] in dB of audio [..., t], floor -80 dB.

    Power in `bands` mel bands from 0 Hz to half the sample rate, Hann window, centred frames.
    """
    flat = wave.float().reshape(-1, wave.shape[-1])
    padding = "reflect" if wave.shape[-1] > n_fft // 2 else "constant"
    power = mel_power(flat, sample_rate, n_fft=n_fft, hop=hop, bands=bands, padding=padding)
    return power_to_db(power).reshape(*wave.shape[:-1], bands, -1)


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


def power_to_db(power: Tensor) -> Tensor:
    """Return power in dB, floor -80 dB."""
    return 10 * power.clamp(min=1e-8).log10()


def slaney_mel(hertz: float) -> float:
    """Return a frequency in mels of Slaney's scale: linear to 1 kHz, logarithmic above."""
    linear = 3 * hertz / 200
    return linear if hertz < 1000 else 15 + 27 * math.log(hertz / 1000) / math.log(6.4)


@lru_cache(maxsize=8)
def _mel_filters(bins: int, bands: int, sample_rate: int) -> Tensor:
    """Return mel filters [bands, bins]."""
    from mousai_kit.audio.torchaudio_compat import torchaudio

    filters: Tensor = torchaudio.functional.melscale_fbanks(
        bins, 0.0, sample_rate / 2, bands, sample_rate, norm="slaney", mel_scale="slaney"
    )
    return filters.T.contiguous() * (sample_rate / bins / 2)


BANDS = 160
COLUMNS = 2000
"""Columns of a strip at most: a picture has no more pixels."""
STRIP_INCHES = 3.2
"""Height of a picture for each strip."""
TITLE_INCHES = 0.3
AT_ONCE = 2**20
"""Samples that are transformed at a time, or about so many."""


class StreamingMel:
    """A log-mel spectrogram of audio that comes in pieces, from windows of about 85 ms.

    A column is the mean power of as many frames as it takes to stay under `COLUMNS` for so many
    samples.
    """

    def __init__(self, sample_rate: int, samples: int) -> None:
        self.sample_rate, self.samples = sample_rate, samples
        self._n_fft = 2 ** round(math.log2(0.085 * sample_rate))
        self._hop = self._n_fft // 4
        self._pooled = -(-(1 + samples // self._hop) // COLUMNS)
        self._waiting = torch.zeros(self._n_fft // 2)
        self._columns: list[Tensor] = []

    @classmethod
    def of(cls, wave: Tensor, sample_rate: int) -> Self:
        """Return the strip of audio [c, t]."""
        strip = cls(sample_rate, wave.shape[-1])
        strip.add(wave)
        return strip

    def add(self, piece: Tensor) -> None:
        """Go on with a piece of audio [c, n]; its channels are averaged."""
        for part in piece.split(AT_ONCE, dim=-1):
            self._waiting = torch.cat([self._waiting, part.detach().float().cpu().mean(0)])
            whole = self._frames(self._waiting) // self._pooled * self._pooled
            if whole:
                end = (whole - 1) * self._hop + self._n_fft
                power = self._power(self._waiting[:end])
                self._columns += power.unflatten(-1, (-1, self._pooled)).mean(-1).unbind(-1)
                self._waiting = self._waiting[whole * self._hop :]

    def mel(self) -> Tensor:
        """Return the log-mel spectrogram [bands, columns] in dB of all that came."""
        rest = pad(self._waiting, (0, self._n_fft // 2))
        last = self._power(rest).split(self._pooled, -1) if self._frames(rest) else []
        return power_to_db(torch.stack([*self._columns, *(window.mean(-1) for window in last)], -1))

    def _frames(self, wave: Tensor) -> int:
        """Return how many frames fit into audio [t]."""
        return max(0, (len(wave) - self._n_fft) // self._hop + 1)

    def _power(self, wave: Tensor) -> Tensor:
        """Return the mel power [bands, frames] of audio [t] without padding."""
        return mel_power(wave, self.sample_rate, n_fft=self._n_fft, hop=self._hop, bands=BANDS)


def plot_mels(path: Path, strips: Mapping[str, StreamingMel]) -> None:
    """Draw a mel picture (PNG): one panel per titled strip.

    All panels have the same colours: 70 dB down from the loudest point of the first.
    """
    from matplotlib.figure import Figure

    height = STRIP_INCHES * len(strips)
    figure = Figure(figsize=(11, height))
    # a layout that looks for room draws everything twice
    gap = (TITLE_INCHES + 0.25) / (STRIP_INCHES - TITLE_INCHES - 0.25)
    figure.subplots_adjust(
        left=0.065, right=1.03, bottom=0.5 / height, top=1 - TITLE_INCHES / height, hspace=gap
    )
    mels = [strip.mel() for strip in strips.values()]
    loudest = float(mels[0].max())
    rows = figure.subplots(len(strips), 1, squeeze=False)[:, 0]
    for axes, (title, strip), mel in zip(rows, strips.items(), mels, strict=True):
        shown = axes.imshow(
            mel.numpy(),
            origin="lower",
            aspect="auto",
            cmap="magma",
            vmin=loudest - 70,
            vmax=loudest,
            extent=(0, strip.samples / strip.sample_rate, 0, len(mel)),
        )
        axes.set_title(_drawable(title), fontsize=9, loc="left")
        axes.set_yticks(*_frequency_ticks(len(mel), strip.sample_rate))
        axes.set_ylabel("Hz (mel scale)")
        figure.colorbar(shown, ax=axes, label="dB", pad=0.01, fraction=0.1)
    rows[-1].set_xlabel("seconds")
    part = path.with_name(f".{path.name}.part")
    figure.savefig(part, dpi=110, format="png", pil_kwargs={"compress_level": 3})
    part.replace(path)


def _frequency_ticks(bands: int, sample_rate: int) -> tuple[list[float], list[str]]:
    """Return places and labels for some frequencies on an axis of mel bands."""
    known = {100: "100", 300: "300", 1000: "1k", 3000: "3k", 10_000: "10k"}
    top = slaney_mel(sample_rate / 2)
    shown = {hertz: label for hertz, label in known.items() if hertz < sample_rate / 2}
    return [bands * slaney_mel(hertz) / top for hertz in shown], list(shown.values())


def _drawable(title: str) -> str:
    """Return a title on one line that matplotlib takes literally and whose letters it has."""
    line = " ".join(title.split())
    line = "".join(c if c.isprintable() and c < "\u0250" else "?" for c in line)
    line = line if len(line) <= 110 else f"{line[:107]}..."
    return line.replace("$", r"\$")
