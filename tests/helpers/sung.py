"""Melodies as they are hummed, whistled, and played with a band, with the notes that sound.

Legend: t time in samples.
"""

from math import exp, pi

import numpy as np
import torch
from scipy.signal import lfilter

RATE = 48_000
SECONDS = 4
MELODIES = [
    [60, 64, 67, 72, 65, 69, 62, 71],
    [69, 67, 66, 64, 62, 64, 66, 69],
    [57, 60, 59, 62, 64, 60, 57, 56],
    [72, 74, 76, 79, 77, 76, 74, 72],
    [63, 66, 70, 68, 65, 61, 63, 58],
]
"""As MIDI notes."""
CHORDS = [(48, 52, 55), (45, 48, 52), (41, 45, 48), (43, 47, 50)]


def seconds(rate=RATE):
    return np.arange(SECONDS * rate) / rate


def notes_over_time(notes, rate=RATE):
    """Return which of the notes sounds at each sample, all of one length."""
    return np.array(notes, float)[(seconds(rate) / SECONDS * len(notes)).astype(int)]


def sung_phase(notes, *, vibrato, off=0.0, rate=RATE):
    """Return the phase of a voice: it glides to each note in 30 ms and trembles around it.

    `vibrato` is its extent to each side, `off` how much it is out of tune, in semitones.
    """
    slow = exp(-1 / (0.03 * rate))
    heights = notes_over_time(notes, rate)
    glided, _ = lfilter([1 - slow], [1, -slow], heights, zi=[heights[0] * slow])
    pitch = glided + vibrato * np.sin(2 * pi * 5.5 * seconds(rate)) + off
    return 2 * pi * np.cumsum(440 * 2 ** ((pitch - 69) / 12)) / rate


def hum(notes, *, octave=0, vibrato=0.3, noise=0.003, off=0.0, rate=RATE):
    """Return harmonics through three formants, and breath [1, t]."""
    phase = sung_phase([note + 12 * octave for note in notes], vibrato=vibrato, off=off, rate=rate)
    source = sum(np.cos(number * phase) / number for number in range(1, 25))
    wave = np.zeros_like(source)
    for formant, width in ((400, 80), (1200, 120), (2500, 200)):
        near = exp(-pi * width / rate)
        filtered = [1, -2 * near * np.cos(2 * pi * formant / rate), near**2]
        wave += lfilter([1 - near], filtered, source)
    breath = noise * np.random.default_rng(0).standard_normal(len(wave))
    return torch.from_numpy(0.4 * wave / np.abs(wave).max() + breath).float()[None]


def whistle(notes, *, octave=2, vibrato=0.2):
    """Return a sine and some wind [1, t]."""
    phase = sung_phase([note + 12 * octave for note in notes], vibrato=vibrato)
    wind = 0.01 * np.random.default_rng(1).standard_normal(len(phase))
    return torch.from_numpy(0.3 * np.sin(phase) + wind).float()[None]


def tone(note, since, partials, tilt):
    """Return a note of harmonics at times [t] since its beginning."""
    hertz = 440 * 2 ** ((note - 69) / 12)
    harmonics = range(1, partials + 1)
    return sum(np.sin(2 * pi * hertz * number * since) / number**tilt for number in harmonics)


def lead(notes, rate=RATE):
    """Return plucked notes that decay [1, t]."""
    wave, beat = np.zeros(SECONDS * rate), SECONDS / len(notes)
    for number, note in enumerate(notes):
        since = seconds(rate) - number * beat
        on = (since >= 0) & (since < beat)
        wave += on * np.exp(-2 * since.clip(0)) * tone(note, since, 10, 1)
    return torch.from_numpy(0.15 * wave).float()[None]


def bass(rate=RATE):
    """Return a loud bass line [1, t], C A F G, all of whose harmonics are below 150 Hz."""
    roots = notes_over_time([chord[0] - 12 for chord in CHORDS], rate)
    phase = 2 * pi * np.cumsum(440 * 2 ** ((roots - 69) / 12)) / rate
    return torch.from_numpy(0.5 * np.sin(phase)).float()[None]


def chords(rate=RATE):
    """Return four chords [1, t]."""
    wave, bar = np.zeros(SECONDS * rate), SECONDS / len(CHORDS)
    for number, chord in enumerate(CHORDS):
        since = seconds(rate) - number * bar
        on = (since >= 0) & (since < bar)
        wave += on * sum(tone(note + 12, since, 6, 1.5) for note in chord)
    return torch.from_numpy(0.05 * wave).float()[None]


def drums(rate=RATE):
    """Return kick and snare in turn [1, t]."""
    noise = np.random.default_rng(2).standard_normal(SECONDS * rate)
    wave = np.zeros(SECONDS * rate)
    for beat in range(4 * SECONDS):
        since = seconds(rate) - beat / 4
        kick = np.exp(-15 * since.clip(0)) * np.sin(2 * pi * 55 * since)
        snare = np.exp(-40 * since.clip(0)) * noise
        wave += (since >= 0) * (0.15 * snare if beat % 2 else 0.4 * kick)
    return torch.from_numpy(wave).float()[None]


def classes_at(notes, hop, rate=RATE):
    """Return the pitch class in the middle of each frame, -1 in the 100 ms after a note begins."""
    true = notes_over_time(notes, rate)
    middles = np.arange(hop // 2, len(true), hop)
    earlier, later = (middles - rate // 10).clip(0), (middles + rate // 32).clip(0, len(true) - 1)
    steady = (true[middles] == true[earlier]) & (true[middles] == true[later])
    return torch.from_numpy(np.where(steady, true[middles] % 12, -1)).long()
