"""Music to learn from: folders that the user named, and those that were brought into the gallery.

music/<name>/   files that were brought, called as they were, with texts that describe them
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mousai_kit.audio.io import display_path
from mousai_kit.core.build import build
from mousai_kit.core.errors import (
    MousaiError,
    Problem,
    RequestError,
    argument_error,
    count_of,
    escape_control_chars,
    join_quoted,
)
from mousai_kit.core.interfaces import Dataset, Split
from mousai_kit.data.analysis import NOTES, PROBLEMS, analyze, summarize_analysis
from mousai_kit.data.captions import SIDECAR_SUFFIXES, CaptionFields, parse_sidecar
from mousai_kit.data.tracks import TrackDataset
from mousai_kit.studio.jobs import Job, JobCancelledError, JobScreen
from mousai_kit.studio.uploads import UploadLimits, check_upload

FOLDER_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,47}")
PLAIN_RULE = "must be small letters, digits and hyphens, as in mine-1"
SPLITS: tuple[Split, ...] = ("train", "validation")
FILES = 500
"""Files that are brought at a time, at most."""
LONGEST_NAME = 80
"""Characters of a file's name that are kept."""
SIDECAR_BYTES = 100_000
FAULTS = 5
"""Files that can't be taken which are told one by one, and names that are told of each finding."""
LOOK = 0.3
"""Seconds between two states."""
SHOWN_CAPTIONS = 3
_AUDIO_SUFFIX = re.compile(r"\.(wav|flac|ogg|oga|opus|mp3)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CropNeeds:
    """What a tuning cuts music into."""

    sample_rate: int
    channels: int
    length: int
    """Samples of a crop."""
    batch: int
    validation: float
    """Share of the tracks that is held out."""

    @property
    def seconds(self) -> float:
        """Return how long a crop is."""
        return self.length / self.sample_rate


@dataclass(frozen=True, slots=True)
class MusicState:
    """How far music was looked at, or brought."""

    told: str
    share: float = 0.0
    folder: str = ""
    """Where it lies, at the end."""
    facts: dict[str, Any] | None = None
    """What `data check` found, at the end."""


class MusicFolders:
    """Folders of music: those below roots that were named, and those that were brought."""

    def __init__(
        self, roots: Sequence[Path], brought: Path, limits: UploadLimits | None = None
    ) -> None:
        """Keep what is brought in a folder, which need not be there yet."""
        self.roots = [path.expanduser().resolve() for path in roots]
        self.brought, self.limits = brought, limits or UploadLimits()

    @property
    def paths(self) -> list[str]:
        """Return the folders that may be learned from: those brought, roots, and those in them."""
        found = _folders_in(self.brought)
        for root in self.roots:
            if root.is_dir():
                found += [root, *_folders_in(root)]
        return [str(path) for path in found]

    def find(self, music: str) -> Path:
        """Return a folder of music; RequestError where it is none that may be learned from."""
        if music in self.paths:
            return Path(music)
        told = "is none of the folders of music; bring some, or start the studio with --music"
        raise argument_error("music", told, music[:100])

    def look(self, music: str, needs: CropNeeds) -> Generator[MusicState]:
        """Look at all of a folder as `data check` does; yield how far it is, then what it found.

        RequestError where it may not be learned from; AudioError where it holds no music.
        """
        folder = self.find(music)
        yield from _follow(lambda job: _analyze(folder, needs, job))

    def advise(self, music: str, needs: CropNeeds) -> list[str]:
        """Return what a tuning should know of how much music there is, by its headers alone."""
        return _advice(_datasets(self.find(music), needs), needs)

    def bring(self, name: str, files: Sequence[Path]) -> Generator[MusicState]:
        """Keep files as a folder of music, all of them or none; yield how far it is.

        Music goes by what it holds, a text or JSON beside it by its name. RequestError tells each
        file that can't be taken, and a name that is none or taken.
        """
        if not FOLDER_NAME.fullmatch(name):
            raise argument_error("name", PLAIN_RULE)
        if (self.brought / name).exists():
            raise argument_error("name", f"there is music '{name}' already; name another")
        if not 1 <= len(files) <= FILES:
            raise argument_error("files", f"bring 1 to {FILES} (got {len(files)})")
        try:
            yield from _follow(lambda job: self._bring(name, files, job))
        except OSError as error:
            told = f"can't be kept ({error.strerror}); free some space"
            raise argument_error("name", told, name) from None

    def _bring(self, name: str, files: Sequence[Path], job: Job) -> MusicState:
        self.brought.mkdir(parents=True, exist_ok=True)
        job.begin("looking at the files", len(files))
        faults: list[Problem] = []
        with TemporaryDirectory(dir=self.brought, prefix=".") as place:
            folder = Path(place, name)
            folder.mkdir()
            for file in files:
                try:
                    self._take(file, folder)
                except MousaiError as error:
                    faults += error.problems
                job.advance(job.done + 1)
            if not faults and all(path.suffix in SIDECAR_SUFFIXES for path in folder.iterdir()):
                faults = [Problem("files", "", "there is no music among them")]
            if faults:
                raise RequestError(*faults[:FAULTS])
            folder.replace(self.brought / name)
        count = sum(path.suffix not in SIDECAR_SUFFIXES for path in (self.brought / name).iterdir())
        told = f"'{name}' is kept: {count_of(count, 'file')} of music"
        return MusicState(told, 1.0, str(self.brought / name))

    def _take(self, file: Path, folder: Path) -> None:
        """Copy a file into a folder under a safe name; an error where it can't be taken."""
        ending, stem = file.suffix.lower(), file.stem
        if ending in SIDECAR_SUFFIXES:
            _check_sidecar(file)
            stem = _AUDIO_SUFFIX.sub("", stem)  # song.flac.txt, where song.flac may become song.ogg
        else:
            ending = f".{check_upload(file, self.limits)}"
        target = folder / f"{safe_stem(stem)}{ending}"
        if target.exists():
            raise RequestError.about(file.name, "is there twice; name files differently")
        shutil.copyfile(file, target)


def safe_stem(name: str) -> str:
    """Return a file's name without what means something to a shell, a file system or a page.

    Letters of all scripts stay: a name may be all that is known of a piece.
    """
    plain = "".join(sign if sign.isalnum() or sign in " ._-,()'&+" else "_" for sign in name)
    return plain.strip(" ._")[:LONGEST_NAME].strip(" .") or "music"


def _folders_in(root: Path) -> list[Path]:
    """Return the folders in a folder, but hidden ones."""
    with suppress(OSError):
        return sorted(path for path in root.iterdir() if path.is_dir() and path.name[0] != ".")
    return []


def _check_sidecar(file: Path) -> None:
    """Raise RequestError where a text is none that describes music."""
    if file.stat().st_size > SIDECAR_BYTES:
        raise RequestError.about(file.name, "is too long to describe a piece of music")
    try:
        parse_sidecar(file.read_bytes(), file.suffix.lower())
    except ValueError as error:
        raise RequestError.about(file.name, f"can't be read ({error})") from None


def _follow(work: Callable[[Job], MusicState]) -> Generator[MusicState]:
    """Do some work in a thread, and yield how it stands; closed, it ends soon."""
    job, pool = Job(), ThreadPoolExecutor(1, thread_name_prefix="music")
    job.begin("reading what is there")
    job.future = pool.submit(work, job)
    try:
        while not job.is_done:
            yield _state(job)
            time.sleep(LOOK)
        with suppress(JobCancelledError):
            yield job.future.result()
    finally:
        job.cancel()
        pool.shutdown(wait=False)


def _state(job: Job) -> MusicState:
    if not job.total:
        return MusicState(job.label)
    told, left = f"{job.label}: {job.done:.0f} of {job.total:.0f}", job.seconds_left
    told += "" if left is None else f", about {left:.0f} s left"
    return MusicState(told, min(1.0, job.done / job.total))


def _datasets(folder: Path, needs: CropNeeds) -> dict[Split, TrackDataset]:
    """Return both splits of a folder; AudioError where it holds no music."""
    wiring = {
        "sample_rate": needs.sample_rate,
        "channels": needs.channels,
        "length": needs.length,
    }
    what = {"use": "folder", "path": str(folder), "validation": needs.validation}
    sets = {split: build(Dataset, what, split=split, **wiring) for split in SPLITS}
    return {split: found for split, found in sets.items() if isinstance(found, TrackDataset)}


def _analyze(folder: Path, needs: CropNeeds, job: Job) -> MusicState:
    screen = JobScreen(job)
    with screen.busy("reading headers and tags"):
        sets = _datasets(folder, needs)
    library = analyze(str(folder), sets, sample_rate=needs.sample_rate, quick=False, screen=screen)
    facts = summarize_analysis(library)
    facts["advice"] = _advice(sets, needs)
    facts["captions"] = _captions(sets)
    told = "\n".join(_lines(facts)).replace(f"{display_path(folder)}/", "")
    return MusicState(told, 1.0, str(folder), facts)


def _advice(sets: dict[Split, TrackDataset], needs: CropNeeds) -> list[str]:
    """Return what is too little for the recipe, a line each."""
    learned, held_out = sets["train"].tracks, sets["validation"].tracks
    seconds, crop = sum(track.seconds for track in learned), needs.seconds
    told = []
    if not len(held_out):
        told.append(
            "too little: one track alone, so that none is held out and nothing tells when it is "
            "learned by heart; bring another"
        )
    if seconds < needs.batch * crop:
        told.append(
            f"too little: {seconds:.3g} s to learn from are fewer than the {needs.batch} crops of "
            f"{crop:.3g} s of one step; it will be learned by heart"
        )
    if short := sum(track.seconds < crop for track in learned):
        shorter = f"shorter than a crop ({crop:.3g} s), so that silence follows"
        told.append(f"{count_of(short, 'track')} of {len(learned)}: {shorter}")
    return told


def _captions(sets: dict[Split, TrackDataset]) -> list[str]:
    """Return how some of the music is described."""
    found = []
    for part in sets.values():
        for track in islice(part.tracks, 10 * SHOWN_CAPTIONS):
            about = part.caption_of(track)
            text = about.caption() if isinstance(about, CaptionFields) else about
            found += [text] if isinstance(text, str) else list(text or ())
    return list(dict.fromkeys(filter(None, found)))[:SHOWN_CAPTIONS]


def _lines(facts: dict[str, Any]) -> list[str]:
    """Return what was found, as it is told."""
    splits = facts["splits"]
    counts = f"{splits.get('train', 0)} to learn from, {splits.get('validation', 0)} held out"
    tracks = count_of(facts["pieces"], "track")
    lines = [f"{tracks} ({counts}), {facts['hours']:.2f} hours", *facts["advice"]]
    if facts["captions"]:
        lines.append(f"described as: {join_quoted(facts['captions'])}")
    for kinds in (PROBLEMS, NOTES):
        for key, told in kinds.items():
            if facts[key]:
                names = join_quoted(str(item) for item in list(facts[key])[:FAULTS])
                lines.append(f"{told}: {len(facts[key])} ({names})")
    return [escape_control_chars(line) for line in lines]
