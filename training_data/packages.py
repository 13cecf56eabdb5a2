"""Debian packages: downloading them, and taking single files out of them."""

from __future__ import annotations

import shutil
import struct
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import IO, cast

BLOCK = 1 << 20
"""Bytes that are read at a time."""

Tell = Callable[[str], None]
"""Takes a line of progress, as often as there is one; it shows some."""


class PackageError(Exception):
    """What keeps a package or a file of it from being used, in one line."""


def find_package(package: str, folders: Collection[Path]) -> Path | None:
    """Return the .deb of a package in the first folder that has one; the last by name."""
    found = (sorted(folder.glob(f"{package}_*.deb")) for folder in folders)
    return next((debs[-1] for debs in found if debs), None)


def download_package(package: str, folder: Path, part: Path, tell: Tell) -> Path:
    """Download a package to a folder, by way of the folder `part`; PackageError where it fails."""
    if shutil.which("apt-get") is None:
        raise PackageError("apt-get is missing: put the .deb into a folder and name it with --debs")
    part.mkdir(parents=True, exist_ok=True)
    command = ["apt-get", "download", "--quiet", package]

    def megabytes() -> str:
        return f"{sum(file.stat().st_size for file in part.iterdir()) >> 20} MB downloaded"

    run(command, part, tell, megabytes)
    deb = find_package(package, [part])
    if deb is None:
        raise PackageError("apt-get download left no .deb")
    folder.mkdir(parents=True, exist_ok=True)
    return deb.rename(folder / deb.name)


def run(command: list[str], folder: Path, tell: Tell, progress: Callable[[], str]) -> None:
    """Run a program in a folder, telling how far it is; PackageError where it fails."""
    with subprocess.Popen(  # noqa: S603 - programs of this folder's own choice
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        try:
            while True:
                try:
                    _, errors = process.communicate(timeout=0.5)
                    break
                except subprocess.TimeoutExpired:
                    tell(progress())
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        reason = _last_line(errors) or f"ended with {process.returncode}"
        raise PackageError(f"{command[0]}: {reason}")


def unpack(deb: Path, wanted: Collection[str], folder: Path, tell: Tell) -> set[str]:
    """Write the wanted files of a package into a folder; return which there were.

    Reading ends with the last of them. PackageError for a package that can't be read.
    """
    missing = set(wanted)
    command = ["dpkg-deb", "--fsys-tarfile", str(deb.resolve())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:  # noqa: S603
        assert process.stdout is not None
        assert process.stderr is not None
        stream = cast("IO[bytes]", Meter(process.stdout, tell))
        try:
            with tarfile.open(fileobj=stream, mode="r|", bufsize=BLOCK) as tar:
                for member in tar:
                    name = member.name.removeprefix("./")
                    if name in missing and (source := tar.extractfile(member)) is not None:
                        target = folder / name
                        target.parent.mkdir(parents=True, exist_ok=True)
                        with source, target.open("wb") as file:
                            shutil.copyfileobj(source, file, BLOCK)
                        missing.remove(name)
                    if not missing:
                        break
        except tarfile.TarError as error:
            process.kill()
            raise PackageError(_last_line(process.stderr.read().decode()) or str(error)) from None
        finally:
            process.kill()
    return set(wanted) - missing


class Meter:
    """A stream that tells how much of it was read."""

    def __init__(self, stream: IO[bytes], tell: Tell) -> None:
        self.stream = stream
        self.tell = tell
        self.size = 0

    def read(self, size: int) -> bytes:
        """Return the next bytes, at most so many."""
        block = self.stream.read(size)
        self.size += len(block)
        self.tell(f"{self.size >> 20} MB unpacked")
        return block


def write_member(archive: Path, member: str, target: Path) -> None:
    """Write a member of a zip, or a lump of a WAD, to a file; PackageError where there is none."""
    try:
        if archive.suffix == ".wad":
            target.write_bytes(lump(archive, member))
            return
        with zipfile.ZipFile(archive) as file, file.open(member) as source, target.open("wb") as to:
            shutil.copyfileobj(source, to, BLOCK)
    except (KeyError, zipfile.BadZipFile, struct.error):
        raise PackageError(f"{archive.name} has no {member}") from None


def lump(wad: Path, name: str) -> bytes:
    """Return a lump of Doom's WAD format: KeyError where there is none of that name."""
    with wad.open("rb") as file:
        _, count, directory = struct.unpack("<4sii", file.read(12))
        file.seek(directory)
        entries = [struct.unpack("<ii8s", file.read(16)) for _ in range(count)]
        for start, size, padded in entries:
            if padded.rstrip(b"\0") == name.encode():
                file.seek(start)
                return file.read(size)
    raise KeyError(name)


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]
