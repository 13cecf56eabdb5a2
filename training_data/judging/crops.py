"""Crops of tracks: which there are, and their features, kept on the disk.

Legend: k crops, d features.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import mousai_kit.api as mk
from judging.features import RATE, SECONDS, VERSION, describe, is_silent, sketch
from mousai_kit.core.files import atomic_write

AUDIO = (".wav", ".flac", ".ogg", ".opus")
SHORTEST = 3.0
"""Seconds below which a clip is too short to be described."""


@dataclass(frozen=True)
class Track:
    """A track of the library: its file, and the style that its sidecar names."""

    path: Path
    style: str

    @property
    def name(self) -> str:
        """Return the file's name without its ending."""
        return self.path.stem


def read_tracks(library: Path, split: str) -> list[Track]:
    """Return the tracks of a split, by name; RequestError where there are none, or no sidecar."""
    folder = library / split
    if not folder.is_dir():
        raise fault(folder, "is no folder; a library has train/STYLE and held_out/STYLE")
    paths = audio_files(folder)
    if not paths:
        raise fault(folder, f"holds no audio ({', '.join(AUDIO)})")
    return [Track(path, _style(path)) for path in paths]


def fault(path: Path, what: str) -> mk.RequestError:
    """Return the error of a file or folder that a user can set right."""
    return mk.RequestError(mk.Problem(mk.display_path(path), "", what))


def audio_files(folder: Path) -> list[Path]:
    """Return all audio files below a folder, by name."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in AUDIO)


def clips_in(folder: Path) -> list[Path]:
    """Return the clips of a folder; RequestError where there are none."""
    paths = audio_files(folder) if folder.is_dir() else []
    if not paths:
        raise fault(folder, "holds no clips; `mousai-kit generate` makes them")
    return paths


def _style(path: Path) -> str:
    sidecar = path.with_suffix(".json")
    try:
        style = json.loads(sidecar.read_text(encoding="utf-8"))["genre"]
    except FileNotFoundError:
        raise fault(sidecar, "is missing; it says the genre of the track") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise fault(sidecar, 'says no genre; it needs "genre": "..."') from None
    return str(style)


@dataclass
class Cache:
    """Features of files, kept in a folder as long as a file's size and time stay."""

    folder: Path

    def crops(self, path: Path, *, most: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return starts in seconds [k] and features [k, d] of a file's crops of ten seconds.

        They lie end to end; `most` takes so many of them, evenly spread. Silent ones are left out.
        A file of less than ten seconds is one crop. AudioError where the file can't be read.
        """
        kept = self._load(path, "crops")
        wanted = _starts(mk.audio_info(path).seconds, most)
        known = dict(zip(kept["starts"].tolist(), kept["features"], strict=True)) if kept else {}
        missing = [start for start in wanted if start not in known]
        for start in missing:
            known[start] = _described(path, start)
        if missing:
            starts = sorted(known)
            self._save(path, "crops", starts=starts, features=[known[at] for at in starts])
        heard = [at for at in wanted if np.isfinite(known[at]).all()]
        return np.array(heard), np.array([known[at] for at in heard], dtype=np.float32)

    def sketch(self, path: Path) -> np.ndarray:
        """Return the sketch of a whole file [f, n], float16."""
        kept = self._load(path, "sketch")
        if kept is None:
            wave = mk.read(path, sample_rate=RATE, channels=1)[0]
            kept = {"sketch": sketch(wave).half().numpy()}
            self._save(path, "sketch", **kept)
        return kept["sketch"]

    def _load(self, path: Path, kind: str) -> dict[str, np.ndarray] | None:
        """Return what is kept of a file; None where that is nothing, or of another state of it."""
        try:
            with np.load(self._place(path, kind), allow_pickle=False) as kept:
                found = dict(kept)
        except (OSError, ValueError, EOFError, KeyError):
            return None
        return found if found.pop("stamp", "") == _stamp(path) else None

    def _save(self, path: Path, kind: str, **values: Any) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(self._place(path, kind)) as file:
            np.savez(file, stamp=_stamp(path), **values)

    def _place(self, path: Path, kind: str) -> Path:
        name = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:24]
        return self.folder / f"{name}.{kind}.npz"


def describe_file(path: Path) -> np.ndarray:
    """Return the features [k, d] of a file's crops that are not silent, none of them kept."""
    crops = np.array(
        [_described(path, start) for start in _starts(mk.audio_info(path).seconds, None)]
    )
    return crops[np.isfinite(crops).all(-1)] if len(crops) else crops


def _described(path: Path, start: float) -> np.ndarray:
    """Return the features of a crop [d]; not a number where it is silent."""
    wave = mk.read(path, sample_rate=RATE, channels=1, start=start, seconds=SECONDS)[0]
    silent = is_silent(wave)
    found = describe(torch.randn(len(wave)) if silent else wave)
    return (found * torch.nan if silent else found).numpy()


def _starts(seconds: float, most: int | None) -> list[float]:
    """Return where crops begin in a file that is so long."""
    if seconds < SECONDS:
        return [0.0] if seconds >= SHORTEST else []
    count = int(seconds // SECONDS)
    if most is None or count <= most:
        return [SECONDS * number for number in range(count)]
    return [SECONDS * int((place + 0.5) * count / most) for place in range(most)]


def _stamp(path: Path) -> str:
    """Return what changes when a file, or what features are, does."""
    state = path.stat()
    return f"{VERSION} {state.st_size} {state.st_mtime_ns}"
