"""Sound: whether audio files of each format can be written and read back."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from math import pi

from mousai_kit.doctor.finding import Finding, note, ok, wrong

FORMATS = {
    "WAV": ("WAV", "PCM_24", True),
    "FLAC": ("FLAC", "PCM_24", True),
    "Ogg Vorbis": ("OGG", "VORBIS", True),
    "Ogg Opus": ("OGG", "OPUS", False),
    "MP3": ("MP3", "MPEG_LAYER_III", False),
}
"""libsndfile's names of format and encoding, and whether mousai-kit itself writes such files."""
RATE, FREQUENCY, FRAMES = 48_000, 440.0, 24_000
"""A tone of half a second, in Hz and samples."""
MEND = "pip install --force-reinstall soundfile (its wheel has a libsndfile with all formats)"


def formats() -> Iterator[Finding]:
    """Write a short tone in every format, read it back, and compare."""
    try:
        import soundfile
    except (ImportError, OSError) as error:
        told = f"soundfile can't be imported ({' '.join(str(error).split())})"
        yield wrong("audio", told, MEND)
        return
    faults = {name: _fault(kind, encoding) for name, (kind, encoding, _) in FORMATS.items()}
    good = [name for name, fault in faults.items() if not fault]
    if good:
        version = soundfile.__libsndfile_version__
        yield ok("audio", f"{', '.join(good)} (libsndfile {version})")
    for name, fault in faults.items():
        if fault:
            tell = wrong if FORMATS[name][2] else note
            yield tell("audio", f"{name} can't be {fault}", MEND)


def _fault(kind: str, encoding: str) -> str:
    """Return what can't be done with a format, empty where all is well."""
    import numpy as np
    import soundfile

    tone = 0.5 * np.sin(2 * pi * FREQUENCY / RATE * np.arange(FRAMES))
    file = BytesIO()
    try:
        soundfile.write(file, tone, RATE, format=kind, subtype=encoding)
    except (RuntimeError, ValueError, TypeError) as error:
        return f"written ({_reason(error)})"
    file.seek(0)
    try:
        read, rate = soundfile.read(file)
    except (RuntimeError, ValueError, TypeError) as error:
        return f"read ({_reason(error)})"
    middle = np.abs(np.fft.rfft(read[FRAMES // 4 : FRAMES * 3 // 4]))
    heard = float(middle.argmax()) * rate / (FRAMES // 2)
    same = rate == RATE and len(read) >= FRAMES and abs(heard - FREQUENCY) < 5
    return "" if same else "read back as it was written"


def _reason(error: Exception) -> str:
    return " ".join(str(getattr(error, "error_string", error)).split()).rstrip(".")
