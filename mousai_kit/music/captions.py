"""Captions: what is known of a piece of music, told as the published system was told it.

Schneider et al. (2023): title, artist, album, genre, year and the chunk mark "k of n" are
shuffled in training, each is dropped with p = 0.1, and the rest is joined by commas half of the
time and by spaces otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Fields:
    """What is known of a piece of music; a field that is not known is empty."""

    title: str = ""
    artist: str = ""
    album: str = ""
    genre: str = ""
    year: str = ""

    @classmethod
    def of(cls, tags: Mapping[str, object]) -> Fields:
        """Return the fields among a file's tags, whatever their case, without tags' usual debris.

        Of a list the last value counts, of a date the year; genre numbers become names.
        """
        found = {name.lower(): value for name, value in tags.items()}
        return cls(
            title=cleaned(found.get("title")),
            artist=cleaned(found.get("artist")),
            album=cleaned(found.get("album")),
            genre=_genre(cleaned(found.get("genre"))),
            year=_year(cleaned(found.get("year"))) or _year(cleaned(found.get("date"))),
        )

    def __bool__(self) -> bool:
        return any(astuple(self))

    def caption(self, mark: str = "", *, random: Random | None = None, drop: float = 0.1) -> str:
        """Return the caption of a crop with this chunk mark.

        With a source of randomness: as in training. Without: all fields in order, with commas.
        """
        known = [text for text in (*astuple(self), mark) if text]
        if random is None:
            return ", ".join(known)
        random.shuffle(known)
        kept = [text for text in known if random.random() >= drop]
        return (", " if random.random() < 0.5 else " ").join(kept)


def chunk_mark(start: float, length: float, total: float) -> str:
    """Return "k of n": a track is cut into n pieces of a crop's length; it starts in the k-th.

    All in one unit, such as seconds. What is left over at the end belongs to the last piece.
    """
    pieces = max(1, int(total / length + 1e-6))
    return f"{min(pieces, int(start / length) + 1)} of {pieces}"


def cleaned(value: object) -> str:
    """Return a tag's value as text on one line; empty where it says nothing or can't be read."""
    if isinstance(value, list | tuple):
        return next(filter(None, map(cleaned, reversed(value))), "")
    if value is None or isinstance(value, bool | Mapping):
        return ""
    text = _mended(str(value))
    if _UNREADABLE.search(text):
        return ""
    text = one_line(_EMPTY_BRACKETS.sub("", _URL.sub("", text)))
    return "" if text.strip("()<>[]{} ").casefold() in _PLACEHOLDERS else text


def one_line(text: str) -> str:
    """Return text without control characters, its line breaks and runs of spaces as one space."""
    return " ".join(_CONTROL.sub(" ", text).split())


_PLACEHOLDERS = {"", "none", "null", "n/a", "unknown"} | {
    f"{word} {field}"
    for word in ("no", "unknown")
    for field in ("title", "artist", "album", "genre")
}
_URL = re.compile(r"(https?://|www\.)[^\s()<>\[\]]+", re.IGNORECASE)
_EMPTY_BRACKETS = re.compile(r"\(\s*\)|\[\s*\]|<\s*>")
_CONTROL = re.compile("[\x00-\x1f\x7f\ufeff]")
_UNREADABLE = re.compile("[\x80-\x9f\ud800-\udfff\ue000-\uf8ff\ufffd]")
"""What is left of bytes in an unknown encoding: controls, lone surrogates, replacement marks."""


def _mended(text: str) -> str:
    """Return the text of UTF-8 bytes that a tag declares to be Latin-1."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _genre(text: str) -> str:
    """Return a genre by name: `(17)` and `17` are ID3's Rock, `(17)Rock` says it twice."""
    parts = re.split(r"\((\d{1,3})\)", text) if text.startswith("(") else [text]
    last = next(filter(None, map(str.strip, reversed(parts))), "")
    return _numbered(int(last)) if re.fullmatch(r"\d{1,3}", last) else last


def _numbered(number: int) -> str:
    """Return ID3's genre of a number; empty where there is none."""
    from mutagen.id3 import TCON

    genres: list[str] = TCON.GENRES
    return genres[number] if number < len(genres) else ""


def _year(text: str) -> str:
    """Return the first group of four digits."""
    found = re.search(r"\d{4}", text)
    return found[0] if found and found[0] != "0000" else ""
