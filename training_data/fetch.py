"""Fetch the training library: freely licensed music out of Debian's game packages.

    python training_data/fetch.py LIBRARY

Tracks go to LIBRARY/train/STYLE and LIBRARY/held_out/STYLE, each with a .json of what is known of
it; credits to LIBRARY/CREDITS.md, licence texts to LIBRARY/licences. The same command again makes
only what is missing. `sources.csv` says what is fetched; README.md says more.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from packages import PackageError, download_package, find_package, unpack, write_member
from rendering import check_audio, is_midi, missing_programs, mix, render, sound_font
from tracks import SOURCES, Track, credits_page, grouped, minutes_table, read_tracks

AUDIO = (".flac", ".ogg", ".opus")


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch or list the library; return 0 where all is there, 1 where something is missing."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("library", type=Path, nargs="?", help="folder of the library")
    parser.add_argument("--debs", type=Path, help="folder of .deb files that are there already")
    parser.add_argument("--list", action="store_true", help="print minutes and credits, and end")
    parser.add_argument(
        "--strict",
        action="store_true",
        help="end at once where a program to render with is missing",
    )
    parser.add_argument(
        "--sound-font",
        type=Path,
        default=sound_font(),
        help="samples for MIDI; default: FluidR3 GM",
    )
    parser.add_argument("--sources", type=Path, default=SOURCES, help="another list of tracks")
    options = parser.parse_args(arguments)
    try:
        tracks = read_tracks(options.sources)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    if options.list:
        print(minutes_table(tracks), credits_page(tracks), sep="\n\n")
        return 0
    if options.library is None:
        parser.error("name a folder for the library, or --list")
    if shutil.which("dpkg-deb") is None:
        print("dpkg-deb is missing: install dpkg")
        return 1
    try:
        library = Library(options.library, options.debs, options.sound_font)
        return library.fetch(tracks, strict=options.strict)
    except OSError as error:  # such as a full disk
        print(f"\nstopped: {error}; the same command goes on from here")
        return 1
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from here")
        return 130


class Library:
    """Folder of the library, with the packages that it is made from."""

    def __init__(self, folder: Path, debs: Path | None, font: Path | None) -> None:
        self.folder = folder
        self.debs = debs
        self.font = font
        self.part = folder / ".part"
        """Where all is written at first; it goes away at the end, and at the next start."""
        self.faults = 0

    def fetch(self, tracks: Sequence[Track], *, strict: bool) -> int:
        """Make what is missing; return 0 where all is there, else 1."""
        wanted = self._renderable(tracks)
        if strict and len(wanted) < len(tracks):
            return 1
        self._clear()
        try:
            for package, group in grouped(wanted, "package"):
                self._fetch_package(package, group)
            self._report_strangers(tracks)
            present = [track for track in tracks if not self._missing(track)]
            self._replace(self.folder / "CREDITS.md", credits_page(present))
        finally:
            self._clear()
        print(f"\n{minutes_table(present)}\n")
        print(f"{len(present)} of {counted(len(tracks))}, faults: {self.faults}")
        return 1 if self.faults else 0

    def _renderable(self, tracks: Sequence[Track]) -> list[Track]:
        """Return the tracks that can be made; say what to install for the others."""
        lacking = {
            track: missing_programs(track.path, self.font)
            for track in tracks
            if self._missing(track)
        }
        for programs in sorted(set(lacking.values()) - {""}):
            count = sum(needed == programs for needed in lacking.values())
            print(f"{counted(count)} left out: apt-get install {programs}, and fetch again")
        return [track for track in tracks if not lacking.get(track)]

    def _fetch_package(self, package: str, tracks: list[Track]) -> None:
        """Make the missing tracks of a package."""
        progress = Progress(package)
        missing = [track for track in tracks if self._missing(track)]
        for track in tracks:
            if track not in missing:
                self._replace(self._sidecar(track), track.sidecar())
        if not missing and self._licence(package).exists():
            progress.end(f"{counted(len(tracks))} there")
            return
        try:
            found = self._unpack(package, missing, progress)
        except PackageError as error:
            self._fault(progress, f"{counted(len(missing))} missing ({error})")
            return
        made = 0
        for track in missing:
            progress.tell(track.title)
            try:
                self._make(track, found, progress)
                made += 1
            except PackageError as error:
                self._fault(progress, f"{track.title} is missing ({error})")
        self._clear()
        progress.end(f"{counted(made)} made, {len(tracks) - len(missing)} there before")

    def _unpack(self, package: str, tracks: list[Track], progress: Progress) -> set[str]:
        """Unpack what tracks are made of, and the copyright file; return which files there are."""
        cache = self.folder / ".debs"
        deb = find_package(package, [folder for folder in (self.debs, cache) if folder])
        if deb is None and self.debs is not None:
            raise PackageError(f"no {package}_*.deb in {self.debs}")
        if deb is None:
            deb = download_package(package, cache, self.part / "download", progress.tell)
        document = f"usr/share/doc/{package}/copyright"
        wanted = {path for track in tracks for path in track.packaged} | {document}
        found = unpack(deb, wanted, self.part, progress.tell)
        if document in found:
            text = (self.part / document).read_text(encoding="utf-8", errors="replace")
            self._replace(self._licence(package), text)
        else:
            self._fault(progress, f"{deb.name} has no {document}")
        return found

    def _make(self, track: Track, found: set[str], progress: Progress) -> None:
        """Make a track and its sidecar; PackageError where it can't be made."""
        for path in track.packaged:
            if path not in found:
                raise PackageError(f"the package has no {path}")
        sources = [self._source(path) for path in track.stems]
        target = self.part / f"track{track.place.suffix}"
        if len(sources) > 1:
            mix(sources, target)
        elif track.place.suffix == ".flac":
            render(
                sources[0],
                target,
                self.part,
                self.font,
                lambda message: progress.tell(f"{track.title}: {message}"),
            )
        else:
            target = sources[0]
        check_audio(target)
        self._replace(self._sidecar(track), track.sidecar())
        target.replace(self.folder / track.place)

    def _source(self, path: str) -> Path:
        """Return a file of the package, or the member of an archive, as a file."""
        outer, _, member = path.partition("!")
        if not member:
            return self.part / outer
        ending = ".mid" if is_midi(path) else Path(member).suffix
        target = self.part / f"member{ending}"
        write_member(self.part / outer, member, target)
        return target

    def _missing(self, track: Track) -> bool:
        return not (self.folder / track.place).exists()

    def _sidecar(self, track: Track) -> Path:
        return (self.folder / track.place).with_suffix(".json")

    def _licence(self, package: str) -> Path:
        return self.folder / "licences" / f"{package}.txt"

    def _replace(self, path: Path, text: str) -> None:
        """Write a text file at once, unless it says so already."""
        if path.exists() and path.read_text(encoding="utf-8") == text:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        self.part.mkdir(parents=True, exist_ok=True)
        written = self.part / "text"
        written.write_text(text, encoding="utf-8")
        written.replace(path)

    def _report_strangers(self, tracks: Sequence[Track]) -> None:
        """Report music that no line names: it may be held out by now, and learned all the same."""
        known = {track.place for track in tracks}
        for split in ("train", "held_out"):
            for path in sorted((self.folder / split).rglob("*")):
                place = path.relative_to(self.folder)
                if path.suffix in AUDIO and place not in known:
                    self.faults += 1
                    print(f"{place} is not in the list: delete it")

    def _fault(self, progress: Progress, message: str) -> None:
        self.faults += 1
        progress.end(message)

    def _clear(self) -> None:
        shutil.rmtree(self.part, ignore_errors=True)


class Progress:
    """Progress of a package: a line every two seconds, over one another on a terminal."""

    def __init__(self, package: str) -> None:
        self.package = package
        self._last = time.monotonic()
        self._end = "\r" if sys.stdout.isatty() else "\n"

    def tell(self, message: str) -> None:
        """Show a message, unless one was shown within the last two seconds."""
        if time.monotonic() - self._last >= 2:
            self._last = time.monotonic()
            self._show(message, self._end)

    def end(self, message: str) -> None:
        """Show what became of the package."""
        self._show(message, "\n")

    def _show(self, message: str, end: str) -> None:
        width = 60 if self._end == "\r" else 0  # hides what the line said before
        print(f"{self.package}: {message:{width}}", end=end, flush=True)


def counted(tracks: int) -> str:
    """Return a number of tracks in words."""
    return f"{tracks} track" if tracks == 1 else f"{tracks} tracks"


if __name__ == "__main__":
    sys.exit(main())
