"""Features of music: what ten seconds sound like, in numbers that know nothing of level.

Only 50 Hz to 10 kHz is looked at, so that the band limit of a file's codec, and with it the package
that a track comes from, is not what a style is told by.

Legend: t time in samples, f bins or bands of frequency, n frames, m modulation bands.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise

import torch
from torch import Tensor

import mousai_kit.api as mk

RATE = 48_000
"""Sample rate in Hz of all that is described."""
SECONDS = 10.0
"""How long a crop lasts."""
VERSION = 1
"""Goes up when features change: those kept on the disk are then made anew."""
LOWEST, HIGHEST = 50.0, 10_000.0
BANDS = 64
DEEP = 70.0
"""Decibels below the loudest at which there is silence."""
SILENT = 1e-4
"""Root mean square below which a crop is silent."""
MODULATIONS = (0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 20.0, 40.0)
"""Edges in Hz of the bands in which envelopes are looked at."""
OCTAVES = (100.0, 200.0, 400.0, 800.0, 1600.0, 3200.0, 6400.0)
SKETCH_BANDS, SKETCH_HOP, SKETCH_WINDOW = 64, 4096, 8192


def describe(wave: Tensor) -> Tensor:
    """Return the features [d] of a crop of mono audio [t] at 48 kHz, of three seconds or more."""
    level = _mel_levels(wave)
    fine = _power(wave, 8192, 4096)
    return torch.cat(
        [
            level.mean(1) - level.mean(),
            level.std(1),
            _cepstra(level),
            _modulation(level),
            _onsets(level),
            _contrast(fine),
            _tonality(fine),
        ]
    )


def is_silent(wave: Tensor) -> bool:
    """Return whether there is nothing to describe in audio [t]."""
    return float(wave.square().mean().sqrt()) < SILENT


def sketch(wave: Tensor) -> Tensor:
    """Return levels in dB [f, n] of audio [t]: 64 mel bands, 60 Hz to 6 kHz, 11.7 frames a second.

    At most 60 dB below the loudest. A piece of it tells a recording from any other.
    """
    filters = _filters(SKETCH_WINDOW, SKETCH_BANDS, 60.0, 6000.0)
    step = SKETCH_HOP * 512  # 44 s: the spectra of a whole track would be gigabytes
    parts = [
        filters @ _power(wave[first : first + step + SKETCH_WINDOW - SKETCH_HOP], *_SKETCH)
        for first in range(0, max(1, len(wave) - SKETCH_WINDOW + 1), step)
    ]
    return _decibels(torch.cat(parts, 1), deep=60.0)


_SKETCH = (SKETCH_WINDOW, SKETCH_HOP)


def _mel_levels(wave: Tensor) -> Tensor:
    """Return levels in dB [64, n], 94 frames a second."""
    return _decibels(_filters(2048, BANDS, LOWEST, HIGHEST) @ _power(wave, 2048, 512), deep=DEEP)


def _power(wave: Tensor, window: int, hop: int) -> Tensor:
    """Return the power [f, n] of audio [t]; frames that lie within it."""
    spectrum = torch.stft(
        wave, window, hop, window=torch.hann_window(window), center=False, return_complex=True
    )
    return spectrum.abs().square()


@lru_cache
def _filters(window: int, bands: int, lowest: float, highest: float) -> Tensor:
    """Return mel filters [bands, f]."""
    filters: Tensor = mk.torchaudio.functional.melscale_fbanks(
        window // 2 + 1, lowest, highest, bands, RATE
    )
    return filters.T.contiguous()


def _decibels(power: Tensor, *, deep: float) -> Tensor:
    """Return power in dB below the loudest, `deep` at most."""
    level = 10 * power.clamp(min=1e-14).log10()
    return (level - level.max()).clamp(min=-deep)


def _cepstra(level: Tensor) -> Tensor:
    """Return how 20 cepstral coefficients vary: deviation, and movement in 11 and in 85 ms."""
    band = torch.arange(BANDS) + 0.5
    cosine = torch.cos(math.pi / BANDS * torch.arange(1, 21)[:, None] * band) / BANDS
    cepstra = cosine @ level
    near, far = (cepstra[:, lag:] - cepstra[:, :-lag] for lag in (1, 8))
    return torch.cat([cepstra.std(1), near.abs().mean(1), far.abs().mean(1)])


def _modulation(level: Tensor) -> Tensor:
    """Return the logarithmic power of 8 bands' envelopes in bands of modulation [8 m]."""
    envelopes = level.unflatten(0, (8, -1)).mean(1)
    envelopes = envelopes - envelopes.mean(1, keepdim=True)
    frames = envelopes.shape[1]
    power = torch.fft.rfft(envelopes * torch.hann_window(frames)).abs().square() / frames
    hertz = torch.fft.rfftfreq(frames, 512 / RATE)
    found = [
        power[:, (hertz >= low) & (hertz < high)].sum(1) for low, high in pairwise(MODULATIONS)
    ]
    return (torch.stack(found, 1) + 1e-2).log10().flatten()


def _onsets(level: Tensor) -> Tensor:
    """Return statistics of onset envelopes, low, middle, high and all, and of their beat [15]."""
    rises = level.diff(dim=1).clamp(min=0)
    envelopes = [rises[:16].mean(0), rises[16:40].mean(0), rises[40:].mean(0), rises.mean(0)]
    found = []
    for rise in envelopes:
        mean, deviation = rise.mean(), rise.std() + 1e-6
        found += [mean, deviation, ((rise - mean) / deviation).pow(3).mean()]
    rise = envelopes[-1] - envelopes[-1].mean()
    spectrum = torch.fft.rfft(rise, 2 * len(rise)).abs().square()
    repeat = torch.fft.irfft(spectrum)[: len(rise)]
    repeat = repeat / (repeat[0] + 1e-6)
    beat = repeat[23:188]  # a quarter of a second to two
    peak, lag = beat.max(0)
    return torch.stack([*found, peak, (lag + 23.0).log(), beat.std()])


def _contrast(power: Tensor) -> Tensor:
    """Return by octave how far peaks stand out, its deviation, and flatness [18]."""
    hertz = torch.fft.rfftfreq(8192, 1 / RATE)
    found = []
    for low, high in pairwise(OCTAVES):
        band = 10 * (power[(hertz >= low) & (hertz < high)] + 1e-10).log10()
        peak = band.quantile(0.95, dim=0) - band.median(dim=0).values
        linear = 10 * (10 ** (band / 10)).mean(0).log10()
        found += [peak.mean(), peak.std(), (band.mean(0) - linear).mean()]
    return torch.stack(found)


def _tonality(power: Tensor) -> Tensor:
    """Return what chroma tells of harmony in no particular key [24]."""
    chroma = _pitch_classes() @ (100 * power / (power.mean() + 1e-12)).log1p()
    chroma = chroma / (chroma.sum(0, keepdim=True) + 1e-6)
    mean = chroma.mean(1)
    turned = mean.roll(-int(mean.argmax()))
    intervals = torch.stack([(mean * mean.roll(step)).sum() for step in range(1, 7)])
    entropy = -(chroma * (chroma + 1e-9).log()).sum(0)
    moves = [(chroma[:, lag:] - chroma[:, :-lag]).abs().sum(0).mean() for lag in (1, 4, 12)]
    whole = -(mean * (mean + 1e-9).log()).sum()
    return torch.cat(
        [turned, intervals, torch.stack([entropy.mean(), entropy.std(), whole, *moves])]
    )


@lru_cache
def _pitch_classes() -> Tensor:
    """Return how much each bin of 60 to 2,000 Hz counts for the 12 pitch classes [12, f]."""
    hertz = torch.fft.rfftfreq(8192, 1 / RATE)
    band = (hertz >= 60) & (hertz <= 2000)
    note = 69 + 12 * (hertz.clamp(min=1) / 440).log2()
    nearest = note.round()
    weights = (1 - 2 * (note - nearest).abs()) * band
    return torch.zeros(12, len(hertz)).scatter(0, nearest.long()[None] % 12, weights[None])
