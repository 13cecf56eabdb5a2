"""Tags: the titles, names and notes that audio files carry."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from mousai_kit.audio.mp3 import muted_decoder

SEVERAL = ("artist", "genre")
"""Tags whose every value counts: of others that stand twice, the last does."""


def read_tags(path: Path, file: BinaryIO | None = None) -> dict[str, str]:
    """Return a file's tags by lower-case name; of several values the last, of genres and artists
    all, with commas.

    Vorbis comments, ID3 frames, an MP3's APEv2 items and a WAV's INFO chunk. Where two of them have
    a name, ID3's second version goes first, then APEv2. No tags where they can't be read. `file` is
    the audio, open, where it lies within another.
    """
    import mutagen
    from mutagen.mp3 import MP3
    from mutagen.wave import WAVE

    try:
        if file:
            file.seek(0)
        audio: Any = mutagen.File(file or path)
        found = _text_by_name(audio)
    except Exception:  # a reader of whatever bytes there are; tags are no reason to stop
        return {}
    if isinstance(audio, MP3):
        ape = _ape_items(path, file)
        short = audio.tags is not None and audio.tags.version < (2,)  # of 30 letters at most
        found = found | ape if short else ape | found
    if not found or isinstance(audio, WAVE):
        found = _info_chunk(path, file) | found
    return found


def write_tags(file: BinaryIO, tags: Mapping[str, str]) -> None:
    """Write tags into an encoded file: Vorbis comments, or ID3 text frames where it is a WAV.

    OSError where the disk refuses.
    """
    import mutagen
    from mutagen.id3 import TXXX, Frames
    from mutagen.wave import WAVE

    file.seek(0)
    audio: Any = mutagen.File(file)
    if audio.tags is None:
        audio.add_tags()
    in_frames = isinstance(audio, WAVE)
    for name, value in tags.items():
        text = value.replace("\0", " ").encode(errors="replace").decode()
        if not in_frames:
            audio.tags[name] = [text]
        elif name in _FRAMES:
            audio.tags.add(Frames[_FRAMES[name]](encoding=3, text=[text]))
        else:
            audio.tags.add(TXXX(encoding=3, desc=name, text=[text]))
    file.seek(0)
    try:
        audio.save(file)
    except mutagen.MutagenError as error:  # which hides what the system said
        said = error.__context__
        raise said if isinstance(said, OSError) else OSError(str(error)) from None


_FRAMES = {
    "title": "TIT2",
    "artist": "TPE1",
    "album": "TALB",
    "genre": "TCON",
    "date": "TDRC",
}
"""Names that have an ID3 frame of their own."""
_NAMES = {frame: name for name, frame in _FRAMES.items()} | {
    "TYER": "date",
    "COMM": "comment",
    "TCOP": "copyright",
    "WCOP": "license",
}


def _text_by_name(audio: Any) -> dict[str, str]:
    """Return what mutagen read, as text by lower-case name; pictures and the like left out."""
    found: dict[str, str] = {}
    for key, value in (audio.tags or {}).items() if audio is not None else ():
        name = value.desc if key.startswith("TXXX:") else _NAMES.get(key[:4], key)
        values = getattr(value, "text", value)
        if address := getattr(value, "url", None):
            values = [address]
        if isinstance(values, list) and values:
            found[str(name).lower()] = _as_one(str(name).lower(), map(str, values))
    return found


def _ape_items(path: Path, file: BinaryIO | None) -> dict[str, str]:
    """Return an MP3's APEv2 items of text, which mutagen reads only where it is told to."""
    from mutagen.apev2 import APETextValue, APEv2, error

    try:
        if file:
            file.seek(0)
        items = APEv2(file or path).items()
    except error:  # none, mostly
        return {}
    return {
        name.lower(): _as_one(name.lower(), value)
        for name, value in items
        if isinstance(value, APETextValue)
    }


def _as_one(name: str, values: Iterable[str]) -> str:
    """Return the values of a tag as one: the last, or where several count, each once."""
    told = dict.fromkeys(values)
    return ", ".join(told) if name in SEVERAL else next(reversed(told))


def _info_chunk(path: Path, file: BinaryIO | None) -> dict[str, str]:
    """Return the tags that libsndfile reads: mutagen knows no INFO chunk of a WAV file."""
    import soundfile

    try:
        if file:
            file.seek(0)
        with muted_decoder(), soundfile.SoundFile(file or os.fsencode(path)) as sound:
            metadata: dict[str, str] = sound.copy_metadata()
    except (RuntimeError, OSError):
        return {}
    return {name: text for name, text in metadata.items() if text}
