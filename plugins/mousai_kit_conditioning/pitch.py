"""Pitch of a melody, frame by frame: which note stands out, alone or above an accompaniment.

A note's salience is the weighted sum of the spectrum at its harmonics (harmonic summation: Hermes,
1988; Salamon and Gómez, 2012). The spectrum is the square root of the magnitude less its mean over
the frequencies around: lines stay, and drums, which have none, all but vanish.

Legend: c channels, t time in samples, n frames, f bins of frequency, p pitches, m semitones.
"""

from __future__ import annotations

from functools import lru_cache
from math import log2
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import pad

Kind = Literal["auto", "voice", "music"]
"""What sounds: one voice or instrument alone, music of several, or that is to be found out."""
WINDOW = 0.128
"""Seconds that a frame is heard for."""
HIGHEST = 5_000.0
"""Hz from which on nothing is heard."""
HARMONICS, DECAY = 8, 0.8
"""How many harmonics a note has, and the weight of each as a part of that of the one before."""
AROUND = 250.0
"""Hz to either side over which the spectrum's mean is taken off."""
LOWEST_NOTE, HIGHEST_NOTE = 36, 100
"""Notes looked for, MIDI: from a bass voice's lowest to a whistle's highest."""
FINE = 5
"""Pitches in a semitone."""
STANDS_OUT = 2.6
"""How many times the mean over all notes the salience of one must be: noise has 2.5 at most, half
of the frames of music over 4, a voice alone 5 to 10."""
EXPLAINED, ALONE = 0.8, 0.75
"""Share of a frame's lines that harmonics of one note must be, and share of such frames, where a
sound counts as alone: a hum has 0.87 of them at least, of twenty-nine pieces of music one more than
0.63, a flute's."""
QUIET, SILENT = 0.01, 1e-4
"""Amplitude under which a frame is silent: as a part of the loud ones' (-40 dB), and whatever they
are (-80 dB of full scale)."""
IN_TUNE = 0.3
"""How well the notes of a voice must agree, of 1, for a tuning of its own to be made out."""


def track_melody(
    wave: Tensor, sample_rate: int, *, hop: int, lowest: float, kind: Kind = "auto"
) -> Tensor:
    """Return the MIDI notes [n] of audio [c, t], whole numbers; NaN where none stands out.

    There are ceil(t / hop) frames, each heard around its middle. In music nothing below `lowest`
    (Hz) is heard, the bass. A voice alone is heard whole, and may be out of tune: its notes are
    rounded to the tuning that most of them agree with.
    """
    lines, step, heard = find_lines(wave, sample_rate, hop=hop)
    if kind != "music":
        voice = lines @ harmonic_weights(lines.shape[1], step, 0.0)
        if kind == "voice" or _is_alone(lines[heard], voice[heard], step):
            return _voice_notes(voice).where(heard & _stands_out(_semitones(voice)), torch.nan)
    salience = _semitones(lines @ harmonic_weights(lines.shape[1], step, lowest))
    notes = LOWEST_NOTE + salience.argmax(1).float()
    return notes.where(heard & _stands_out(salience), torch.nan)


def chroma(wave: Tensor, sample_rate: int, *, hop: int, lowest: float) -> Tensor:
    """Return how salient the pitch classes [n, 12] of audio [c, t] are, C first, 0 in silence."""
    lines, step, heard = find_lines(wave, sample_rate, hop=hop)
    salience = _semitones(lines @ harmonic_weights(lines.shape[1], step, lowest))
    octaves = pad(salience, (0, -salience.shape[1] % 12)).unflatten(1, (-1, 12))
    return octaves.amax(1) * heard[:, None]  # LOWEST_NOTE is a C


def find_lines(wave: Tensor, sample_rate: int, *, hop: int) -> tuple[Tensor, float, Tensor]:
    """Return the lines [n, f] in the spectra of audio [c, t], and which frames [n] are not silent.

    Between them stands the width of a bin in Hz.
    """
    windows = _windows(wave.mean(0), size=2 * round(WINDOW * sample_rate / 2), hop=hop)
    level = windows.square().mean(1).sqrt()
    heard = level > max(SILENT, QUIET * float(level.quantile(0.95)))
    size = windows.shape[1]
    step = sample_rate / size
    spectrum = torch.fft.rfft(windows * torch.hann_window(size))
    root = spectrum[:, : round(HIGHEST / step)].abs().sqrt()
    reach = round(AROUND / step)
    sums = pad(pad(root, (reach, reach)).cumsum(1), (1, 0))
    around = (sums[:, 2 * reach + 1 :] - sums[:, : -2 * reach - 1]) / (2 * reach + 1)
    return (root - around).clamp(min=0), step, heard


def _windows(mono: Tensor, *, size: int, hop: int) -> Tensor:
    """Return what is heard of each frame [n, size] of a signal [t], silence beyond its ends."""
    before = (size - hop) // 2
    after = (-(-len(mono) // hop) - 1) * hop + size - len(mono) - before
    return pad(mono, (before, after)).unfold(0, size, hop)


def _pitches() -> Tensor:
    """Return the pitches [p] that are looked for, in semitones; every fifth one is a note."""
    return (torch.arange(LOWEST_NOTE * FINE, (HIGHEST_NOTE + 1) * FINE) - FINE // 2) / FINE


def _hertz(pitches: Tensor) -> Tensor:
    return 440 * 2 ** ((pitches - 69) / 12)


@lru_cache(maxsize=8)
def harmonic_weights(bins: int, step: float, lowest: float) -> Tensor:
    """Return how much bins of so many Hz count for pitches [f, p]; nothing below `lowest` Hz does.

    A bin counts for a harmonic within half a semitone, or to the next bin where those are wider.
    """
    hertz, pitches = torch.arange(bins) * step, _pitches()
    heights = 69 + 12 * (hertz.clamp(min=1) / 440).log2()
    width = (12 * (1 + step / hertz.clamp(min=1)).log2()).clamp(0.5, 12)
    weights = torch.zeros(bins, len(pitches))
    for harmonic in range(1, HARMONICS + 1):
        distance = (heights[:, None] - pitches - 12 * log2(harmonic)).abs()
        weights += DECAY ** (harmonic - 1) * (1 - distance / width[:, None]).clamp(min=0)
    return weights * (hertz > lowest)[:, None] * (_hertz(pitches) > lowest)


@lru_cache(maxsize=8)
def _combs(bins: int, step: float) -> Tensor:
    """Return which bins of so many Hz are harmonics of each pitch [p, f]: 1 or 0."""
    hertz, base = torch.arange(bins) * step, _hertz(_pitches())[:, None]
    nearest = base * (hertz / base).round().clamp(min=1)
    return ((hertz - nearest).abs() < (0.045 * nearest).clamp(min=2.1 * step)).float()


def _semitones(salience: Tensor) -> Tensor:
    """Return the salience of notes that are in tune [n, m], of that of pitches [n, p]."""
    return salience[:, FINE // 2 :: FINE]


def _stands_out(salience: Tensor) -> Tensor:
    """Return in which frames [n] there is a note, by the salience of notes [n, m]."""
    looked_for = (salience.amax(0) > 0).sum().clamp(min=1)
    return salience.amax(1) > STANDS_OUT * salience.sum(1) / looked_for


def _is_alone(lines: Tensor, salience: Tensor, step: float) -> bool:
    """Return whether one sound is alone: nearly all lines [n, f] are one note's harmonics."""
    if not len(lines):
        return False
    energy = lines.square()
    harmonics = _combs(lines.shape[1], step)[salience.argmax(1)]
    explained = (energy * harmonics).sum(1) > EXPLAINED * energy.sum(1)
    return float(explained.float().mean()) > ALONE


def _voice_notes(salience: Tensor) -> Tensor:
    """Return the notes [n] of a voice by the salience of pitches [n, p].

    Means over neighbours within a semitone take vibrato off before the tuning is made out.
    """
    pitch = LOWEST_NOTE + (salience.argmax(1).float() - FINE // 2) / FINE
    near = pad(pitch[None, None], (1, 1), mode="replicate").flatten().unfold(0, 3, 1)
    same = (near - pitch[:, None]).abs() < 1
    steady = (near * same).sum(1) / same.sum(1)
    weights = salience.amax(1)
    turn = torch.polar(weights, 2 * torch.pi * steady).sum() / weights.sum().clamp(min=1e-12)
    off = float(turn.angle()) / (2 * torch.pi) if turn.abs() > IN_TUNE else 0.0
    return (steady - off).round()
