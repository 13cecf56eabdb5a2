"""Captions: what is known of a piece of music, told as the published system was told it.

Schneider et al. (2023): title, artist, album, genre, year and the chunk mark "k of n" are
shuffled in training, each is dropped with p = 0.1, and the rest is joined by commas half of the
time and by spaces otherwise.

Licences: under which terms a piece of music may be used, as its tags say.

Description: what a text or a JSON object beside a piece of music says of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, astuple, dataclass
from random import Random

from mousai_kit.core.errors import Problem, format_value, some


@dataclass(frozen=True, slots=True)
class CaptionFields:
    """What is known of a piece of music; a field that is not known is empty."""

    title: str = ""
    artist: str = ""
    album: str = ""
    genre: str = ""
    year: str = ""

    @classmethod
    def of(cls, tags: Mapping[str, object]) -> CaptionFields:
        """Return the fields among a file's tags, whatever their case, without tags' usual debris.

        Of a list the last value counts, of genres and artists each, with commas; of a date the
        year. Genre numbers become names.
        """
        found = {name.lower(): value for name, value in tags.items()}
        return cls(
            title=clean(found.get("title")),
            artist=_each(found.get("artist"), clean),
            album=clean(found.get("album")),
            genre=_each(found.get("genre"), lambda value: _genre(clean(value))),
            year=_year(clean(found.get("year"))) or _year(clean(found.get("date"))),
        )

    def __bool__(self) -> bool:
        return any(astuple(self))

    @property
    def facts(self) -> dict[str, str]:
        """Return the fields that are known, by name."""
        return {name: text for name, text in asdict(self).items() if text}

    def caption(
        self,
        mark: str = "",
        *,
        random: Random | None = None,
        drop: float = 0.1,
        genre_drop: float | None = None,
    ) -> str:
        """Return the caption of a crop with this chunk mark.

        With a source of randomness: as in training, each field dropped with the chance `drop`, the
        genre with `genre_drop` (None: as the others). Without: all fields in order, with commas.
        """
        told = self.facts | ({"mark": mark} if mark else {})
        known = list(told)
        if random is None:
            return ", ".join(told[field] for field in known)
        chances = {} if genre_drop is None else {"genre": genre_drop}
        random.shuffle(known)
        kept = [told[field] for field in known if random.random() >= chances.get(field, drop)]
        return (", " if random.random() < 0.5 else " ").join(kept)


AnyCaption = CaptionFields | str | tuple[str, ...]
"""What is known of a piece of music: fields, a whole caption, or several, of which one is drawn."""


def chunk_mark(start: float, length: float, total: float) -> str:
    """Return "k of n": a track is cut into n pieces of a crop's length; it starts in the k-th.

    All in one unit, such as seconds. What is left over at the end belongs to the last piece.
    """
    pieces = max(1, int(total / length + 1e-6))
    return f"{min(pieces, int(start / length) + 1)} of {pieces}"


def clean(value: object) -> str:
    """Return a tag's value as text on one line; empty where it says nothing or can't be read."""
    if isinstance(value, list | tuple):
        return next(filter(None, map(clean, reversed(value))), "")
    if value is None or isinstance(value, bool | Mapping):
        return ""
    text = _mend(str(value))
    if _UNREADABLE.search(text):
        return ""
    text = collapse_whitespace(_EMPTY_BRACKETS.sub("", _URL.sub("", text)))
    return "" if text.strip("()<>[]{} ").casefold() in _PLACEHOLDERS else text


def _each(value: object, read: Callable[[object], str]) -> str:
    """Return what `read` makes of each value of a list, or of each part between commas, once."""
    parts = value.split(", ") if isinstance(value, str) else value
    values = parts if isinstance(parts, list | tuple) else [parts]
    return ", ".join(dict.fromkeys(filter(None, map(read, values))))


def collapse_whitespace(text: str) -> str:
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


def _mend(text: str) -> str:
    """Return the text of UTF-8 bytes that a tag declares to be Latin-1."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _genre(text: str) -> str:
    """Return a genre by name: `(17)` and `17` are ID3's Rock, `(17)Rock` says it twice, and
    `(17)(18)` are two.
    """
    if (codes := re.match(r"(\(\d{1,3}\))+", text)) and codes.end() < len(text):
        return text[codes.end() :].strip()
    if not re.fullmatch(r"\d{1,3}|(\(\d{1,3}\))+", text):
        return text
    from mutagen.id3 import TCON

    names = dict(enumerate(TCON.GENRES))
    found = (names.get(int(number), "") for number in re.findall(r"\d+", text))
    return ", ".join(filter(None, found))


def _year(text: str) -> str:
    """Return the first group of four digits."""
    found = re.search(r"\d{4}", text)
    return found[0] if found and found[0] != "0000" else ""


NAMES = ("license", "licence", "wcop", "copyright", "tcop")
"""Tags that tell a licence, the plainest first."""


def licence_from_tags(tags: Mapping[str, object]) -> str:
    """Return the licence that tags tell, Creative Commons' by their short names; empty: none.

    A notice of copyright counts where there is nothing plainer.
    """
    found = {name.lower(): value for name, value in tags.items()}
    told = (collapse_whitespace(str(found[name])).strip() for name in NAMES if found.get(name))
    return next((_short(text) for text in told if text), "")


def _short(text: str) -> str:
    """Return `CC-BY-SA-3.0` for that licence's address and its usual spellings."""
    if address := _ADDRESS.search(text):
        return "-".join(filter(None, ("CC", address[1].upper(), address[2])))
    if _ZERO.search(text):
        return "CC0-1.0"
    if words := _WORDS.fullmatch(text):
        parts = re.sub(r"[\s_]+", "-", words[1].strip()).upper()
        return "-".join(filter(None, ("CC", parts, words[2])))
    return text


_ADDRESS = re.compile(r"creativecommons\.org/licenses/([a-z-]+)(?:/(\d\.\d))?", re.IGNORECASE)
_ZERO = re.compile(r"publicdomain/zero|^CC[\s-]?0\b", re.IGNORECASE)
_WORDS = re.compile(
    r"CC[\s_-]+((?:BY|NC|ND|SA)(?:[\s_-]+(?:NC|ND|SA))*)(?:[\s_-]+v?(\d\.\d))?", re.I
)


SIDECAR_SUFFIXES = (".txt", ".json")
"""Endings of files that describe the music beside them; the first that says something counts."""
WHOLE = ("caption", "prompt", "text")
"""Keys of a JSON object that hold a whole caption, or a list of them."""
FIELDS = ("title", "artist", "album", "genre", "year", "date")
"""Keys of a JSON object that are parts of a caption."""
ORIGINS = ("package", "source", "url")
"""Keys of a JSON object that say where music is from: nobody wants them in a caption."""


def parse_sidecar(content: bytes, ending: str) -> AnyCaption | None:
    """Return the fields or the captions that a .json says, or a text; None for an empty text.

    ValueError, with the reason, where that can't be known.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("not UTF-8 text") from None
    if ending != ".json":
        return text.strip() or None
    try:
        return _fields_or_text(json.loads(text))
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"not JSON: {error.msg} at {place}") from None
    except RecursionError:
        raise ValueError("nested too deep") from None


def licence_in(content: bytes, ending: str) -> str:
    """Return the licence that a .json which `parse_sidecar` understands tells; empty: none."""
    return licence_from_tags(json.loads(content.decode("utf-8-sig"))) if ending == ".json" else ""


def caption_from_mapping(values: Mapping[str, object]) -> AnyCaption:
    """Return the captions or the fields among values by name; empty where there are none."""
    for key in WHOLE:
        value = values.get(key)
        texts = value if isinstance(value, list) else [value]
        said = [text.strip() for text in texts if isinstance(text, str) and text.strip()]
        if said:
            return tuple(said) if len(said) > 1 else said[0]
    return CaptionFields.of(values)


def unused_keys(values: Mapping[str, object]) -> list[str]:
    """Return the keys that say something which no caption takes, such as `bpm`."""
    known = {*WHOLE, *FIELDS, *NAMES, *ORIGINS}
    said = (key for key, value in values.items() if value == 0 or value)
    return [key for key in said if key.lower() not in known]


def unused_keys_told(origin: str, counts: Mapping[str, int]) -> list[Problem]:
    """Return a line on keys that no caption takes, with how often each stands; none if none does.

    `origin` is the folder or data set where they stand.
    """
    often = sorted(counts, key=lambda key: (-counts[key], key))
    named = some([f"{format_value(key)} ({counts[key]} x)" for key in often], 8)
    told = f"no caption takes these keys: {named}; put what they say into `caption`"
    return [Problem(origin, "", told)] if counts else []


def _fields_or_text(values: object) -> AnyCaption:
    if not isinstance(values, dict):
        raise ValueError("no JSON object with fields by name")
    if not (about := caption_from_mapping(values)) and not licence_from_tags(values):
        keys = ", ".join((*WHOLE, *CaptionFields.__dataclass_fields__))
        raise ValueError(f"none of the keys {keys} says anything")
    return about
