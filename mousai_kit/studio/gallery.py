"""Gallery: clips on the disk, each in a folder of its own that is there whole or not at all.

clips/<key>/    clip.flac, clip.png, clip.json
uploads/        files that clips were made from, by their digest
.studio-making/ what is not finished; emptied when a studio starts
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from mousai_kit import audio
from mousai_kit.core.component import Field, Options
from mousai_kit.core.console import Screen
from mousai_kit.core.errors import RequestError, argument_error
from mousai_kit.core.files import (
    LockHeldError,
    atomic_write,
    check_folder,
    file_lock,
    sync,
    sync_folder,
)
from mousai_kit.studio.settings import CLIP, UPLOAD, ClipSettings

KEY = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{8}")
"""What a clip is called: when it was made, and a number that was drawn."""
UPLOADED = re.compile(r"[0-9a-f]{12}\.[a-z0-9]{1,5}")
"""What an upload is called: its digest, and the suffix of what it holds."""
RECORD, PICTURE = "clip.json", "clip.png"


class ClipRecord(Options):
    """What is kept of a clip beside its audio."""

    key: str = Field(pattern=KEY.pattern, description="its name in the gallery")
    made: str = Field(description="when it was made, in UTC")
    settings: ClipSettings = Field(description="what it was made from: enough to make it again")
    file: str = Field(pattern=r"clip\.(flac|wav|ogg)", description="its audio")
    seconds: float = Field(gt=0, description="how long it is")
    sample_rate: int = Field(gt=0, description="samples per second")
    took: float = Field(0.0, ge=0, description="seconds that it took to make")
    parent: str | None = Field(None, description="the clip that it was made from")
    how: str = Field("", description="how it was made from its parent")
    notes: list[str] = Field([], description="what was said of its making: unknown words, say")


class Gallery:
    """Clips in a folder that one studio at a time holds. Used in a `with`.

    RequestError where the folder is a file, or another studio's.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.expanduser().resolve()
        self.clips, self.uploads = self.folder / "clips", self.folder / "uploads"
        self.making = self.folder / ".studio-making"
        self._records: dict[str, ClipRecord] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        check_folder(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._stack.enter_context(file_lock(self.folder / ".lock"))
        except LockHeldError as error:
            told = f"another studio (process {error}) has it open; stop that one, or use --gallery"
            raise RequestError.about(audio.display_path(self.folder), told) from None
        shutil.rmtree(self.making, ignore_errors=True)
        for folder in (self.clips, self.uploads, self.making):
            folder.mkdir(exist_ok=True)
        self._records = {record.key: record for record in self._read_all()}
        return self

    def __exit__(self, *reason: object) -> None:
        self._stack.close()

    def begin(self) -> Path:
        """Return a new folder for a clip that is being made, called as the clip will be."""
        now = datetime.now(UTC)
        order = f"{now.microsecond:05x}{secrets.token_hex(2)[:3]}"  # keys sort as clips were begun
        folder = self.making / f"{now:%Y%m%d-%H%M%S}-{order}"
        folder.mkdir()
        return folder

    def keep(self, folder: Path, record: ClipRecord) -> ClipRecord:
        """Take a finished clip in: its audio and picture lie in a folder that `begin` gave."""
        text = record.model_dump_json(indent=1)
        with atomic_write(folder / RECORD) as file:
            file.write(text.encode())
        for path in (folder / record.file, folder / PICTURE):
            if path.exists():
                with path.open("rb+") as written:
                    sync(written)
        sync_folder(folder)
        folder.replace(self.clips / record.key)
        sync_folder(self.clips)
        self._records[record.key] = record
        return record

    def drop(self, folder: Path) -> None:
        """Forget a clip that is not to be finished."""
        shutil.rmtree(folder, ignore_errors=True)

    def records(self) -> list[ClipRecord]:
        """Return what is there, the newest first."""
        return [self._records[key] for key in sorted(self._records, reverse=True)]

    def find(self, key: str) -> ClipRecord:
        """Return a clip's record; RequestError where there is none."""
        if not key:
            raise argument_error("clip", "choose one of the gallery first")
        if (record := self._records.get(key)) is None:
            raise argument_error("clip", f"the gallery has no clip '{key[:40]}'")
        return record

    def delete(self, key: str) -> None:
        """Remove a clip, whose folder may be gone already; RequestError where there is none."""
        record = self.find(key)
        trash = self.making / f"{record.key}.deleted"
        with suppress(FileNotFoundError):
            (self.clips / record.key).replace(trash)
        self._records.pop(key, None)
        shutil.rmtree(trash, ignore_errors=True)

    def audio(self, key: str) -> Path:
        """Return a clip's audio file; RequestError where there is none."""
        record = self.find(key)
        return self.clips / record.key / record.file

    def picture(self, key: str) -> Path:
        """Return a clip's mel picture; RequestError where there is none."""
        return self.clips / self.find(key).key / PICTURE

    def resolve(self, reference: str) -> Path:
        """Return the file that `clip:<key>` or `upload:<name>` stands for.

        RequestError where there is none: no other file can be named.
        """
        kind, _, name = reference.partition(":")
        if f"{kind}:" == CLIP:
            return self.audio(name)
        if f"{kind}:" == UPLOAD and UPLOADED.fullmatch(name) and (self.uploads / name).is_file():
            return self.uploads / name
        told = "must be 'clip:' and a clip of the gallery, or 'upload:' and what was uploaded"
        raise argument_error("file", f"{told} (got '{reference[:60]}')")

    def _read_all(self) -> Iterator[ClipRecord]:
        """Yield the records of all clips; tell of folders that are none, and leave them alone."""
        for folder in sorted(self.clips.iterdir()):
            try:
                record = ClipRecord.model_validate_json((folder / RECORD).read_bytes())
                whole = record.key == folder.name and (folder / record.file).is_file()
            except (OSError, ValidationError, json.JSONDecodeError):
                whole = False
            if whole:
                yield record
            else:
                with suppress(OSError):
                    Screen().print(f"{audio.display_path(folder)}: is no clip; it is left alone")
