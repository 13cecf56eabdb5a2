"""Clips a second from tar shards and from a saved data set, beside the folder of the same music.

    python benchmarks/shards.py [--songs 200] [--seconds 60] [--crop 3] [--rounds 5] [--json FILE]

Songs of noise are encoded as FLAC and WAV, 48 kHz, stereo; each round reads one crop of every song
from each kind of place, in turn, in one process. Medians over rounds, and ratios to the folder.
The files are warm: what is compared is the way to a crop, not the disk.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import soundfile

import mousai_kit.api as mk
from mousai_kit.core.plugins import installed_registry

RATE = 48_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--songs", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--crop", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        figures = {kind: measured(Path(place) / kind, kind, arguments) for kind in ("flac", "wav")}
    for kind, found in figures.items():
        for name, figure in found.items():
            index, rate, ratio = figure["index"], figure["clips"], figure["ratio"]
            print(f"{kind:5} {name:12} {rate:8.1f} clips/s  {ratio:.2f}  opened in {index:.2f} s")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


def measured(place: Path, kind: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return clips a second of each dataset, their ratio to the folder's, and seconds to open."""
    songs = written(place / "songs", kind, arguments)
    places = {
        "folder": {"path": str(place / "songs")},
        "webdataset": {"shards": str(in_shards(place / "shards", songs))},
        "huggingface": {"path": str(saved(place / "saved", songs))},
    }
    opened: dict[str, float] = {}
    data: dict[str, mk.Dataset] = {}
    for name, options in places.items():
        started = time.perf_counter()
        data[name] = dataset(name, options, round(arguments.crop * RATE))
        opened[name] = time.perf_counter() - started
    times: dict[str, list[float]] = {name: [] for name in data}
    for epoch in range(arguments.rounds):
        for name, clips in data.items():
            started = time.perf_counter()
            for index in range(len(clips)):
                clips.clip(index, epoch)
            times[name].append(time.perf_counter() - started)
    rates = {name: len(songs) / median(it) for name, it in times.items()}
    return {
        name: {"clips": rate, "ratio": rate / rates["folder"], "index": opened[name]}
        for name, rate in rates.items()
    }


def dataset(name: str, options: dict[str, str], length: int) -> mk.Dataset:
    """Return a dataset of all songs."""
    component: Any = installed_registry().find("dataset", name)
    chosen = component.Options(**options, validation=0.0)
    made: mk.Dataset = component(chosen, sample_rate=RATE, channels=2, length=length, split="train")
    return made


def written(folder: Path, kind: str, arguments: argparse.Namespace) -> list[Path]:
    """Write songs of noise."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    noise = random.normal(0, 0.1, (round(arguments.seconds * RATE), 2)).clip(-1, 1)
    songs = [folder / f"{number:06}.{kind}" for number in range(arguments.songs)]
    for song in songs:
        soundfile.write(song, np.roll(noise, random.integers(len(noise)), 0), RATE, "PCM_16")
    return songs


def in_shards(folder: Path, songs: list[Path]) -> Path:
    """Write songs into shards of half a gigabyte."""
    import webdataset

    folder.mkdir()
    with webdataset.ShardWriter(f"{folder}/%06d.tar", maxsize=5e8, verbose=0) as writer:
        for song in songs:
            writer.write({"__key__": song.stem, song.suffix[1:]: song.read_bytes()})
    return folder


def saved(folder: Path, songs: list[Path]) -> Path:
    """Save songs as a data set of Hugging Face, a row each."""
    import datasets

    datasets.disable_progress_bars()
    rows = ({"audio": {"bytes": song.read_bytes(), "path": song.name}} for song in songs)
    datasets.Dataset.from_list(list(rows)).save_to_disk(str(folder))
    return folder


if __name__ == "__main__":
    main()
