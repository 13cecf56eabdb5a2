"""Rendering: tracks that are mixed from stems, or played from MIDI and tracker files.

Waves are float32 [t, c]: t samples, c channels. All that is written is FLAC, 16 bit, 44.1 kHz.
"""

from __future__ import annotations

import shutil
from math import gcd
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
from packages import PackageError, Tell, run
from scipy.signal import resample_poly

Wave = npt.NDArray[np.float32]

SAMPLE_RATE = 44_100
PEAK = 0.9
"""Peak of a rendered track, and the highest of a mix."""
SILENCE = 1e-3
"""Peak of what is cut off at the end of a rendered track."""
TRACKER = (".it", ".mod", ".s3m", ".xm")
"""Endings of tracker files."""
SOUND_FONTS = (
    Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"),  # Debian
    Path("/usr/share/soundfonts/FluidR3_GM.sf2"),  # Fedora, Arch
)
"""Where the samples for MIDI may lie."""


def missing_programs(path: str, font: Path | None) -> str:
    """Return what to install for a track of this path to be rendered; empty where nothing is."""
    if path.endswith(TRACKER):
        return "" if shutil.which("openmpt123") else "openmpt123"
    if is_midi(path) and not (shutil.which("fluidsynth") and font and font.exists()):
        return "fluidsynth fluid-soundfont-gm"
    return ""


def sound_font() -> Path | None:
    """Return the samples for MIDI, where they are installed."""
    return next((path for path in SOUND_FONTS if path.exists()), None)


def is_midi(path: str) -> bool:
    """Return whether a path is that of MIDI music: a lump of a WAD, or a .mid."""
    return ".wad!" in path or path.endswith(".mid")


def mix(stems: list[Path], target: Path) -> None:
    """Write the sum of stems, quieter where it would exceed PEAK."""
    waves = [_read(stem) for stem in stems]
    total = np.zeros((max(map(len, waves)), max(wave.shape[1] for wave in waves)), np.float32)
    for wave in waves:
        total[: len(wave)] += wave
    peak = max(float(np.abs(total).max()), PEAK)
    _write(total * np.float32(PEAK / peak), target)


def render(source: Path, target: Path, folder: Path, font: Path | None, tell: Tell) -> None:
    """Play a MIDI or tracker file into a track; PackageError where its player fails.

    What is played goes through a WAV in `folder`. `font` has the samples for MIDI.
    """
    played = folder / "played.wav"
    if source.suffix in TRACKER:
        # Without --repeat a module is played once, however it loops.
        options = ["--batch", "--quiet", "--float", "--samplerate", str(SAMPLE_RATE), "--force"]
        command = ["openmpt123", *options, "--output", str(played), "--", str(source)]
    else:
        options = ["-n", "-i", "-q", "-g", "0.3", "-r", str(SAMPLE_RATE), "-O", "float"]
        command = ["fluidsynth", *options, "-T", "wav", "-F", str(played), str(font), str(source)]
    run(command, folder, tell, lambda: f"{_megabytes(played)} MB rendered")
    if not played.exists():
        raise PackageError(f"{command[0]} wrote nothing for {source.name}")
    wave = _read(played)
    played.unlink()
    loud = np.flatnonzero(np.abs(wave).max(axis=1) > SILENCE)
    if not len(loud):
        raise PackageError(f"{command[0]} played only silence for {source.name}")
    wave = wave[: loud[-1] + 1]
    _write(wave * np.float32(PEAK / float(np.abs(wave).max())), target)


def check_audio(path: Path) -> None:
    """Check that a file is audio; PackageError where it is none."""
    try:
        frames = soundfile.info(path).frames
    except soundfile.LibsndfileError as error:
        raise PackageError(f"{path.name} is no audio ({error.error_string})") from None
    if frames <= 0:
        raise PackageError(f"{path.name} is empty")


def _read(path: Path) -> Wave:
    """Return a file's audio at SAMPLE_RATE; PackageError where it can't be decoded."""
    try:
        wave, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise PackageError(f"{path.name} is no audio ({error.error_string})") from None
    if rate != SAMPLE_RATE:
        common = gcd(rate, SAMPLE_RATE)
        wave = resample_poly(wave, SAMPLE_RATE // common, rate // common, axis=0)
    result: Wave = wave.astype(np.float32)
    return result


def _write(wave: Wave, target: Path) -> None:
    soundfile.write(target, wave, SAMPLE_RATE, format="FLAC", subtype="PCM_16")


def _megabytes(path: Path) -> int:
    return path.stat().st_size >> 20 if path.exists() else 0
