"""Tracks of the training library: what `sources.csv` says of each, and the pages made of that.

Needs nothing but the standard library.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path

SOURCES = Path(__file__).with_name("sources.csv")
"""The list of all tracks, one a line."""
LICENCES = (
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC-BY-3.0",
    "CC-BY-4.0",
    "CC-BY-SA-3.0",
    "CC-BY-SA-4.0",
    "CC0-1.0",
    "MIT",
    "Zlib",
    "public domain",
)
"""Licences that a track may have: what is trained on the library can be CC-BY-SA-4.0."""


@dataclass(frozen=True)
class Track:
    """One line of `sources.csv`.

    `path` is what the package holds: a file; `ARCHIVE!MEMBER` of a zip or a WAD; or the stems of a
    mix, `FILE + FILE`. `file` is the track's name in the library; its ending tells the format.
    """

    package: str
    path: str
    file: str
    title: str
    artist: str
    album: str
    genre: str
    year: str
    seconds: int
    licence: str
    held_out: bool

    @property
    def stems(self) -> list[str]:
        """Paths to mix; most tracks have one."""
        return self.path.split(" + ")

    @property
    def packaged(self) -> list[str]:
        """Files of the package that the track is made of."""
        return [stem.partition("!")[0] for stem in self.stems]

    @property
    def place(self) -> Path:
        """Path within the library: `train` or `held_out`, the style, the file."""
        split = "held_out" if self.held_out else "train"
        return Path(split, self.genre.lower().replace(" ", "-"), self.file)

    def sidecar(self) -> str:
        """Return the JSON beside the track, whose fields the dataset `folder` makes captions of."""
        names = ("title", "artist", "album", "genre", "year", "licence", "package")
        fields = {name: value for name in names if (value := getattr(self, name))}
        return json.dumps(fields, indent=2, ensure_ascii=False) + "\n"


def read_tracks(sources: Path = SOURCES) -> list[Track]:
    """Return the tracks of a list; ValueError, with the line, where one can't be used."""
    with sources.open(encoding="utf-8", newline="") as file:
        return [
            _track(row, f"{sources}:{line}") for line, row in enumerate(csv.DictReader(file), 2)
        ]


def minutes_table(tracks: Sequence[Track]) -> str:
    """Return the minutes of each style, those of both splits, as a table in Markdown."""
    rows = [(style, *_minutes(group)) for style, group in grouped(tracks, "genre")]
    rows.append(("all", *_minutes(tracks)))
    width = max(len(style) for style, *_ in rows)
    head = f"| {'style':{width}} | train, min | tracks | held out, min | tracks |"
    rule = f"| {'-' * width} | ---: | ---: | ---: | ---: |"
    lines = [
        f"| {style:{width}} | {train:.0f} | {count} | {held_out:.0f} | {held_count} |"
        for style, train, count, held_out, held_count in rows
    ]
    return "\n".join([head, rule, *lines])


def credits_page(tracks: Iterable[Track]) -> str:
    """Return who made each track, with its licence, as a page in Markdown."""
    parts = [HEAD]
    for package, group in grouped(tracks, "package"):
        lines = [_credit(track) for track in sorted(group, key=attrgetter("title"))]
        note = f"{NOTES[package]}\n\n" if package in NOTES else ""
        parts.append(f"## {package}\n\n{note}" + "\n".join(lines) + "\n")
    return "\n".join(parts)


HEAD = """\
# Credits

Music of this library, by the Debian package that it comes from. Each package's copyright file,
with the licence texts, is in `licences/`. Creative Commons licences are at
<https://creativecommons.org/licenses/>; whoever passes a track on, changed or not, names the author
and keeps the licence. The authors do not endorse this library, nor what is trained on it.

Ogg and Opus files are as they were packaged; FLAC files were mixed or rendered by `fetch.py`.
"""

NOTES = {
    "0ad-data": (
        "Music of 0 A.D. by [Wildfire Games](https://play0ad.com), under\n"
        "[CC-BY-SA-3.0](https://creativecommons.org/licenses/by-sa/3.0/)."
    ),
    "freedoom": (
        "MIDI files, rendered with the samples of FluidR3 GM by Frank Wen (MIT; Debian package\n"
        "fluid-soundfont-gm)."
    ),
    "fretsonfire-songs-muldjord": "By Muldjord, <http://www.muldjord.com>. Mixed from two stems.",
    "fretsonfire-songs-sectoid": "Mixed from two stems.",
}
"""What a package's licence wants said, or what was done to its music."""


def _track(row: dict[str, str], where: str) -> Track:
    try:
        values = {**row, "seconds": int(row["seconds"]), "held_out": _truth(row["held_out"])}
        track = Track(**values)  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError) as error:
        fields = ", ".join(Track.__dataclass_fields__)
        raise ValueError(f"{where}: no track ({error}); its fields are {fields}") from None
    if track.licence not in LICENCES:
        raise ValueError(f"{where}: {track.licence} is none of {', '.join(LICENCES)}")
    return track


def _truth(text: str) -> bool:
    if text not in {"yes", "no"}:
        raise ValueError(f"held_out is {text!r}, not yes or no")
    return text == "yes"


def grouped(tracks: Iterable[Track], by: str) -> list[tuple[str, list[Track]]]:
    """Return the tracks by what a field says, in its order."""
    key = attrgetter(by)
    return [(name, list(group)) for name, group in groupby(sorted(tracks, key=key), key)]


def _minutes(tracks: Sequence[Track]) -> tuple[float, int, float, int]:
    """Return minutes and number of the tracks to train on, then of those held out."""
    train = [track.seconds for track in tracks if not track.held_out]
    held_out = [track.seconds for track in tracks if track.held_out]
    return sum(train) / 60, len(train), sum(held_out) / 60, len(held_out)


def _credit(track: Track) -> str:
    album = f", from {track.album}" if track.album else ""
    year = f" ({track.year})" if track.year else ""
    held_out = ", held out" if track.held_out else ""
    return f"- {track.title} by {track.artist}{album}{year}: {track.licence}{held_out}"
