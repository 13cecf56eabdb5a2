"""Sample: which of its members are the audio and the caption, and how long the audio is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

import mousai_kit.api as mk
from mousai_kit_shards.members import Member
from mousai_kit_shards.part import Part

READ = ("flac", "mp3", "oga", "ogg", "opus", "wav")
"""Endings of members that are music."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which members count, by their endings; None where that is to be guessed."""

    audio: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample that can be used: its audio, how long that is (s), and its caption if it has one."""

    audio: Member
    seconds: float
    text: Member | None
    unpaired: list[Member]
    """Captions that may be meant, where it has none."""
    unused: Sequence[str]
    """Keys of its caption, if that is a JSON object, that no caption takes."""


def parse_sample(shard: Path, file: BinaryIO, members: Sequence[Member], wanted: Wanted) -> Sample:
    """Return a sample of an open shard; ValueError says what keeps it from being used."""
    named = {member.ending: member for member in members}
    if len(named) < len(members):
        raise ValueError("has two members with the same ending; leave one out")
    audio = _audio(named, wanted.audio)
    try:
        part = BufferedReader(Part(file, audio.offset, audio.size))
        seconds = mk.audio_info(shard / audio.name, part).seconds
    except mk.AudioError as error:
        raise ValueError(error.problems[0].message) from None
    text = _text(file, named, audio, wanted.text)
    captions = [m for ending, m in named.items() if _kind(ending) in mk.SIDECAR_SUFFIXES]
    own = _caption_endings(audio, wanted.text)
    unpaired = [] if text else [m for m in captions if m.ending not in own]
    return Sample(audio, seconds, text, unpaired, _unused_keys(file, text))


def read_member_caption(file: BinaryIO, member: Member) -> mk.AnyCaption | None:
    """Return the caption that a member of an open shard holds; ValueError where it is no such."""
    file.seek(member.offset)
    return mk.parse_sidecar(file.read(member.size), _kind(member.ending))


def _unused_keys(file: BinaryIO, text: Member | None) -> list[str]:
    if text is None or not text.ending.endswith("json"):
        return []
    file.seek(text.offset)
    return mk.unused_keys(json.loads(file.read(text.size).decode("utf-8-sig")))


def _audio(named: dict[str, Member], wanted: str | None) -> Member:
    if wanted in named:
        return named[wanted]
    if wanted is not None:
        raise ValueError(f"has no '{wanted}' (it has {_endings(named)})")
    found = [ending for ending in named if _kind(ending)[1:] in READ]
    if not found:
        raise ValueError(f"has no music that is read (it has {_endings(named)})")
    if len(found) > 1:
        raise ValueError(f"has several pieces of music ({_endings(found)}); say which with `audio`")
    return named[found[0]]


def _text(
    file: BinaryIO, named: dict[str, Member], audio: Member, wanted: str | None
) -> Member | None:
    """Return the member that says something."""
    if wanted is not None and wanted not in named:
        raise ValueError(f"has no '{wanted}' (it has {_endings(named)})")
    for ending in _caption_endings(audio, wanted):
        try:
            if ending in named and read_member_caption(file, named[ending]):
                return named[ending]
        except ValueError as error:
            raise ValueError(f"its caption ({ending}) can't be used ({error})") from None
    return None


def _caption_endings(audio: Member, wanted: str | None) -> list[str]:
    """Return the endings of a sample's caption: as the music's but for the last, then the last."""
    if wanted is not None:
        return [wanted]
    stem = audio.ending.rpartition(".")[0]
    nearest = [f"{stem}{kind}" for kind in mk.SIDECAR_SUFFIXES if stem]
    return [*nearest, *(kind[1:] for kind in mk.SIDECAR_SUFFIXES)]


def _kind(ending: str) -> str:
    """Return what kind of file an ending tells: of `mix.flac` it is `.flac`."""
    return f".{ending.rpartition('.')[2]}"


def _endings(endings: Iterable[str]) -> str:
    return ", ".join(f"'{ending}'" for ending in endings)
