"""Strips: mel spectrograms of audio of any length, and pictures of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import torch
from torch import Tensor
from torch.nn.functional import pad

from mousai_kit.audio.mel import decibels, mel_power, slaney_mel

BANDS = 160
COLUMNS = 2000
"""Columns of a strip at most: a picture has no more pixels."""
AT_ONCE = 2**20
"""Samples that are transformed at a time, or about so many."""


class MelStrip:
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
        return decibels(torch.stack([*self._columns, *(it.mean(-1) for it in last)], -1))

    def _frames(self, wave: Tensor) -> int:
        """Return how many frames fit into audio [t]."""
        return max(0, (len(wave) - self._n_fft) // self._hop + 1)

    def _power(self, wave: Tensor) -> Tensor:
        """Return the mel power [bands, frames] of audio [t] without padding."""
        return mel_power(wave, self.sample_rate, n_fft=self._n_fft, hop=self._hop, bands=BANDS)


def picture(path: Path, strips: Mapping[str, MelStrip]) -> None:
    """Draw a mel picture (PNG): one panel per titled strip.

    All panels have the same colours: 70 dB down from the loudest point of the first.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.2 * len(strips)), layout="constrained")
    FigureCanvasAgg(figure)
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
        figure.colorbar(shown, ax=axes, label="dB", pad=0.01)
    rows[-1].set_xlabel("seconds")
    part = path.with_name(f".{path.name}.part")
    figure.savefig(part, dpi=110, format="png")
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
