"""Clip order: one clip on its way, made in the device's thread and followed from another.

Legend: c channels, n samples of a piece.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, Self

from torch import Tensor

from mousai_kit import audio
from mousai_kit.core.errors import argument_error
from mousai_kit.generation import generate as making
from mousai_kit.generation.generator import GenerationJob
from mousai_kit.generation.rendering import FileSink
from mousai_kit.generation.source_file import FILES
from mousai_kit.runs.run import Run
from mousai_kit.studio.gallery import ClipRecord, Gallery
from mousai_kit.studio.jobs import DeviceThread, Job, JobCancelledError, JobScreen
from mousai_kit.studio.live_sound import LiveSound, LiveSounds
from mousai_kit.studio.settings import ClipSettings, is_reference
from mousai_kit.studio.systems import Systems

LOOK = 0.1
"""Seconds between two looks at how a job stands."""
WORD = 0.5
"""Seconds between two words on it, at least."""


@dataclass(frozen=True, slots=True)
class MakingState:
    """How the making of clips stands."""

    told: str
    """One line: what is done, and how long it will take."""
    share: float
    """How much of it is done, 0 to 1."""
    seconds_left: float | None
    sound: str | None
    """Key of the sound that can be heard."""
    clips: tuple[ClipRecord, ...] = ()
    """Those that are finished."""
    notes: tuple[str, ...] = ()
    """What was said meanwhile: of words that the system never saw, say."""


class StudioParts(Protocol):
    """What an order is made with: a studio."""

    gallery: Gallery
    systems: Systems
    sounds: LiveSounds
    device: DeviceThread
    longest: float
    """Seconds of a clip, at most."""


class ClipOrder:
    """One clip on its way into the gallery."""

    def __init__(
        self, parts: StudioParts, settings: ClipSettings, *, parent: str | None, how: str
    ) -> None:
        self.parts, self.settings, self.parent, self.how = parts, settings, parent, how
        parts.systems.target(settings.system)
        self.controls = resolve_files(parts.gallery, settings.controls)
        self.job = Job()
        self.sound: LiveSound | None = None

    def follow(self) -> Generator[MakingState]:
        """Have it made, and yield how it stands; closed, it is cancelled."""
        self.parts.device.submit(self.job, self._make)
        said = 0.0
        try:
            while not self.job.is_done:
                if time.monotonic() - said >= WORD:
                    yield self._state()
                    said = time.monotonic()
                time.sleep(LOOK)
            with suppress(CancelledError, JobCancelledError):
                yield self._final_state(self.job.future.result())
        finally:
            self.job.cancel()

    def _state(self) -> MakingState:
        job, left = self.job, self.job.seconds_left
        told = job.label if left is None else f"{job.label}, about {left:.0f} s left"
        sound = self.sound.key if self.sound and self.sound.written else None
        share = job.done / job.total if job.total else 0.0
        return MakingState(told, min(1.0, share), left, sound, notes=tuple(job.notes))

    def _final_state(self, record: ClipRecord) -> MakingState:
        told = f"{record.seconds:.1f} s of music in {record.took:.1f} s"
        sound = self.sound.key if self.sound else None
        return MakingState(told, 1.0, 0.0, sound, (record,), tuple(record.notes))

    def _make(self) -> ClipRecord:
        """Make the clip, in the device's thread; nothing of one that fails is left."""
        began = time.monotonic()
        settings, gallery = self.settings, self.parts.gallery
        system = self.parts.systems.open(settings, JobScreen(self.job))
        asked = self._ask(system)
        generator = making.generator_for(system, [asked], 1)
        folder = gallery.begin()
        try:
            sink = generator.file_sink(asked, folder / f"clip.{settings.format}")
            space = system.cascade.audio
            self.sound = self.parts.sounds.open(
                sample_rate=space.sample_rate, channels=space.channels, samples=sink.samples
            )
            try:
                generator.play_into([asked], [HeardSink(sink, self.sound)], folder)
            finally:
                self.sound.end()
            self.job.check()
            record = self._record(folder, asked, system, time.monotonic() - began)
            return gallery.keep(folder, record)
        finally:
            gallery.drop(folder)

    def _ask(self, system: Run) -> GenerationJob:
        """Return what the settings ask of a system, checked."""
        settings = self.settings
        (job,) = making.jobs_of(
            system,
            [settings.prompt],
            seed=settings.seed,
            seconds=settings.seconds,
            guidance=settings.guidance,
            controls=making.parse_controls(system.recipe, **self.controls),
        )
        longest = self.parts.longest
        if job.seconds > longest:
            told = f"must be at most {longest:g}, which this studio was started with"
            raise argument_error("seconds", f"{told} (got {job.seconds:g})")
        return job

    def _record(self, folder: Path, asked: GenerationJob, system: Run, took: float) -> ClipRecord:
        name = f"clip.{self.settings.format}"
        info = audio.audio_info(folder / name)
        given = {"guidance": asked.guidance}
        if not self.controls.get("inpaint"):
            given["seconds"] = asked.seconds
        return ClipRecord(
            key=folder.name,
            made=datetime.now(UTC).isoformat(timespec="seconds"),
            settings=self.settings.model_copy(update=given),
            file=name,
            seconds=info.seconds,
            sample_rate=info.sample_rate,
            took=round(took, 3),
            parent=self.parent,
            how=self.how,
            notes=self.job.notes,
        )


class HeardSink:
    """A file's sink that is heard, too, while it is written."""

    def __init__(self, file: FileSink, sound: LiveSound) -> None:
        self.file, self.sound = file, sound

    def __enter__(self) -> Self:
        self.file.__enter__()
        return self

    def __exit__(self, *reason: object) -> None:
        self.file.__exit__(*reason)

    def add(self, piece: Tensor) -> None:
        """Go on with a piece [c, n]."""
        self.file.add(piece)
        self.sound.add(piece)

    def finish(self) -> None:
        """Write the file, and its picture."""
        self.sound.end()
        self.file.finish()


def resolve_files(gallery: Gallery, controls: Mapping[str, Any]) -> dict[str, Any]:
    """Return controls with files in place of references; no other file can be named.

    RequestError where a control that names a file holds no reference, or there is no such file.
    """
    found = dict(controls)
    for name in FILES:
        if found.get(name) is not None:
            found[name] = str(gallery.resolve(str(found[name])))
    conditions = found.get("conditions") or {}
    if not isinstance(conditions, Mapping):
        raise argument_error("conditions", "must be a mapping of names to values")
    if conditions:
        found["conditions"] = {
            name: _resolve_condition(gallery, value) for name, value in conditions.items()
        }
    return found


def _resolve_condition(gallery: Gallery, value: Any) -> Any:
    """Return a condition's value: a reference's file, or numbers; RequestError for other texts."""
    if is_reference(value):
        return str(gallery.resolve(value))
    if isinstance(value, str) or (isinstance(value, Mapping | list) and _holds_text(value)):
        raise argument_error("conditions", "a file is named by what was uploaded, or a clip")
    return value


def _holds_text(value: Any) -> bool:
    match value:
        case str():
            return True
        case Mapping():
            return any(map(_holds_text, value.values()))
        case list():
            return any(map(_holds_text, value))
    return False
