"""What `folder` costs for a large library: time to index it, memory, crops a second.

    python benchmarks/library.py [--files 100000] [--changes 100] [--folder DIR] [--json FILE]

Makes a folder of tiny tagged FLAC files (half a second each, in folders of a hundred), and builds
the dataset in a new process each time: without an index, with it, after some files have changed,
and in the workers of a loader. Memory is what a process takes beyond its imports, at the most.
Linux only: it reads /proc.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import machine
import mutagen
import numpy as np
import soundfile
from torch.utils.data import DataLoader, get_worker_info

import mousai_kit.api as mk
from mousai_kit_mousai.folder import INDEX

RATE = 8_000
MARK = b"number 0000000"
"""What each file's title says in another way, of the same length."""


def main() -> None:
    """Make the library, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--changes", type=int, default=100)
    parser.add_argument("--crops", type=int, default=20_000, help="crops that the workers read")
    parser.add_argument("--folder", type=Path, help="where to make it, or where it is")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--probe", choices=["index", "workers"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.probe:
        figures = _indexed(arguments.folder) if arguments.probe == "index" else _read(arguments)
        print(json.dumps(figures))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        if not any(folder.glob("artist *")):
            make(folder, arguments.files)
        rows = measured(folder, arguments)
    print(f"{'':26}{'seconds':>9}{'of CPU':>9}{'MB':>8}   {arguments.files:,} files")
    for row in rows:
        rate = f"   {row['rate']:,.0f} crops/s" if "rate" in row else ""
        times = f"{row['seconds']:9.2f}{row.get('cpu', float('nan')):9.2f}"
        print(f"{row['what']:26}{times}{row['megabytes']:8.1f}{rate}")
    print(machine.line())
    if arguments.json:
        found = {"rows": rows, "files": arguments.files, "machine": machine.facts()}
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


def make(folder: Path, files: int) -> None:
    """Write the library: files alike but for their titles."""
    plain = _file()
    for number in range(files):
        path = folder / f"artist {number // 1000:03}/album {number // 100:04}/{number:06}.flac"
        if number % 100 == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(plain.replace(MARK, b"number %07d" % number))


def measured(folder: Path, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Return seconds and megabytes of each way to begin."""
    (folder / INDEX).unlink(missing_ok=True)
    rows = [{"what": "first index", **_asked("index", folder, arguments)}]
    rows.append({"what": "second", **_asked("index", folder, arguments)})
    changed = sorted(folder.glob("*/*/*.flac"))[:: max(1, arguments.files // arguments.changes)]
    for path in changed:
        path.write_bytes(path.read_bytes().replace(b"number", b"change"))
    rows.append({"what": f"after {len(changed)} changes", **_asked("index", folder, arguments)})
    rows.append({"what": "a loader's worker of two", **_asked("workers", folder, arguments)})
    return rows


def _asked(probe: str, folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what a new process measures."""
    command = [sys.executable, __file__, "--probe", probe, "--folder", str(folder)]
    command += ["--crops", str(arguments.crops)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _indexed(folder: Path) -> dict[str, float]:
    mk.build(mk.Schedule, "cosine")  # loads the plug-ins
    before = _megabytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    started, computed = time.perf_counter(), time.process_time()
    made = _dataset(folder)
    return {
        "seconds": time.perf_counter() - started,
        "cpu": time.process_time() - computed,
        "megabytes": _megabytes("VmHWM") - before,
        "clips": len(made),
    }


def _read(arguments: argparse.Namespace) -> dict[str, float]:
    made = _dataset(arguments.folder)
    order = np.random.default_rng(0).permutation(len(made))[: arguments.crops].tolist()
    loader = DataLoader(_Weighed(made), None, sampler=order, num_workers=2, prefetch_factor=64)
    started, private = time.perf_counter(), 0.0
    for megabytes in loader:
        private = max(private, megabytes)
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "megabytes": private, "rate": len(order) / seconds}


class _Weighed:
    """Reads a clip, and says how much memory of its own the worker has by now."""

    def __init__(self, clips: mk.Dataset) -> None:
        self.clips, self.count = clips, 0

    def __getitem__(self, index: int) -> float:
        self.clips.clip(index)
        self.count += 1
        return _private() if self.count % 500 == 0 and get_worker_info() else 0.0


def _dataset(folder: Path) -> mk.Dataset:
    what = {"use": "folder", "path": str(folder)}
    build_kwargs: dict[str, Any] = {"sample_rate": RATE, "channels": 1, "length": RATE // 4}
    return mk.build(mk.Dataset, what, split="train", **build_kwargs)


def _megabytes(field: str) -> float:
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def _private() -> float:
    """Return the memory of this process that it shares with no other."""
    text = Path("/proc/self/smaps_rollup").read_text()
    return sum(map(int, re.findall(r"Private_\w+:\s+(\d+) kB", text))) / 1024


def _file() -> bytes:
    """Return a tagged FLAC file of half a second of quiet noise."""
    noise = np.random.default_rng(0).normal(size=RATE // 2) / 50
    file = BytesIO()
    soundfile.write(file, noise, RATE, format="FLAC")
    file.seek(0)
    tagged = mutagen.File(file)
    tags = {"title": MARK.decode(), "artist": "Somebody", "album": "An album", "date": "2020"}
    tagged.update(tags | {"genre": "Ambient", "license": "CC0-1.0"})
    file.seek(0)
    tagged.save(file)
    return file.getvalue()


if __name__ == "__main__":
    main()
