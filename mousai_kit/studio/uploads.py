"""Uploads: audio that a user brings, limited in size, length and by what it holds."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from mousai_kit import audio
from mousai_kit.audio.io import open_audio
from mousai_kit.core.errors import AudioError, Problem, RequestError
from mousai_kit.studio.gallery import Gallery
from mousai_kit.studio.settings import UPLOAD

SUFFIXES = {"WAV": "wav", "WAVEX": "wav", "FLAC": "flac", "OGG": "ogg", "MP3": "mp3"}
"""What libsndfile calls the contents that are taken, and the suffix that each is kept under."""


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """How much may be uploaded."""

    megabytes: float = 100.0
    seconds: float = 600.0


def take_upload(gallery: Gallery, path: Path, limits: UploadLimits) -> str:
    """Keep a file that was uploaded, called by its digest; return the reference to it.

    Its name is not looked at, but for messages. RequestError where it is too large or too long;
    AudioError where it holds no music of a kind that is taken, or can't be decoded to its end.
    """
    suffix = check_upload(path, limits)
    digest = audio.file_digest(path)
    kept = gallery.uploads / f"{digest}.{suffix}"
    if not kept.exists():
        with tempfile.TemporaryDirectory(dir=gallery.making) as folder:
            copy = Path(shutil.copyfile(path, Path(folder, kept.name)))
            copy.replace(kept)
    return f"{UPLOAD}{kept.name}"


def check_upload(path: Path, limits: UploadLimits) -> str:
    """Return the suffix of what a file that was uploaded holds, decoded to its end.

    RequestError where it is too large or too long; AudioError where it holds no music of a kind
    that is taken, or can't be decoded to its end.
    """
    name = Path(audio.display_path(Path(path.name)))
    if path.stat().st_size > limits.megabytes * 1e6:
        told = f"is larger than {limits.megabytes:g} MB; take a smaller one"
        raise RequestError.about(str(name), told)
    try:
        return _check_contents(path, name, limits)
    except AudioError as error:
        faults = (Problem(str(name), "", fault.message) for fault in error.problems)
        raise AudioError(*faults) from None


def _check_contents(path: Path, name: Path, limits: UploadLimits) -> str:
    """Return the suffix of what a file holds, decoded to its end."""
    with open_audio(path) as sound:
        kind, seconds = sound.format, sound.frames / sound.samplerate
        rate = sound.samplerate
    if kind not in SUFFIXES:
        told = f"holds {kind}; WAV, FLAC, Ogg and MP3 are taken"
        raise RequestError.about(str(name), told)
    if seconds > limits.seconds:
        told = f"is {seconds:.0f} s long, more than {limits.seconds:g} s; cut it"
        raise RequestError.about(str(name), told)
    audio.read(path, sample_rate=rate, channels=1)
    return SUFFIXES[kind]
