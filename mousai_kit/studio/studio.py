"""Studio: what a page and programs ask: clips made in turn, kept, varied, gone on from."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from mousai_kit import audio
from mousai_kit.core.errors import argument_error
from mousai_kit.generation.generator import clip_file_name
from mousai_kit.studio.blind_copies import BlindCopies
from mousai_kit.studio.clip_order import ClipOrder, MakingState
from mousai_kit.studio.gallery import ClipRecord, Gallery
from mousai_kit.studio.jobs import DeviceThread
from mousai_kit.studio.listening import ListeningTests
from mousai_kit.studio.live_sound import LiveSounds
from mousai_kit.studio.settings import CLIP, DRAWN_BELOW, SEEDS_BELOW, ClipSettings
from mousai_kit.studio.systems import Systems
from mousai_kit.studio.uploads import UploadLimits, take_upload

MOST = 16
"""Clips of one order."""


@dataclass(frozen=True, slots=True)
class StudioLimits:
    """How much may be asked for at a time."""

    seconds: float = 600.0
    """Of a clip, what it goes on from included."""
    uploads: UploadLimits = field(default_factory=UploadLimits)


class Studio:
    """Makes clips into a gallery, one at a time. Used in a `with`, which holds the gallery."""

    def __init__(
        self, gallery: Gallery, systems: Systems, limits: StudioLimits | None = None
    ) -> None:
        self.gallery, self.systems = gallery, systems
        self.limits = limits or StudioLimits()
        self.longest = self.limits.seconds
        self.sounds = LiveSounds(gallery.making / "sounds")
        self.listening = ListeningTests(gallery.folder / "listening")
        self.blind_copies = BlindCopies(gallery.making / "heard")
        self.device = DeviceThread()
        self._exporting = threading.Lock()

    def __enter__(self) -> Self:
        self.gallery.__enter__()
        return self

    def __exit__(self, *reason: object) -> None:
        self.device.close()
        self.gallery.__exit__(*reason)

    def make(
        self, orders: Sequence[ClipSettings], *, parent: str | None = None, how: str = ""
    ) -> Generator[MakingState]:
        """Make clips, and yield how it stands now and then; closed, it makes no more.

        Those that are finished stay. An error, in lines that say which argument is wrong, where
        more is asked for than a studio makes or a system can.
        """
        check_order_size(len(orders))
        if parent is not None:
            self.gallery.find(parent)
        finished: tuple[ClipRecord, ...] = ()
        for number, settings in enumerate(orders):
            order = ClipOrder(self, settings, parent=parent, how=how)
            place = f"clip {number + 1} of {len(orders)}: " if len(orders) > 1 else ""
            last = None
            with closing(order.follow()) as states:
                for last in states:
                    yield replace(
                        last,
                        told=place + last.told,
                        share=(number + last.share) / len(orders),
                        clips=(*finished, *last.clips),
                    )
            finished += last.clips if last else ()

    def delete(self, key: str) -> None:
        """Remove a clip; RequestError where there is none, or a listening test is made of it."""
        self.gallery.find(key)
        if (test := self.listening.test_of(f"{CLIP}{key}")) is not None:
            told = f"is heard in the listening test '{test}'; remove that first (listening/{test})"
            raise argument_error("clip", told)
        self.gallery.delete(key)

    def upload(self, path: Path) -> str:
        """Take in a file that was uploaded; return the reference to it."""
        return take_upload(self.gallery, path, self.limits.uploads)

    def export(self, key: str, suffix: str) -> Path:
        """Return a clip's file in a format, tagged; RequestError where there is no such clip."""
        source = self.gallery.audio(key)
        if suffix not in FORMATS:
            raise argument_error("format", f"must be one of {', '.join(FORMATS)}", suffix[:20])
        if source.suffix == f".{suffix}":
            return source
        record = self.gallery.find(key)
        name = clip_file_name(record.settings.prompt)
        out = self.gallery.making / "exports" / key / f"{name}-{record.settings.seed}.{suffix}"
        with self._exporting:
            if not out.exists():
                _convert(source, out)
        return out


FORMATS = ("flac", "wav", "ogg")


def check_order_size(count: int) -> None:
    """Raise RequestError where so many clips are none, or more than an order has."""
    if not 1 <= count <= MOST:
        raise argument_error("count", f"must be 1 to {MOST} (got {count})")


def _convert(source: Path, out: Path) -> None:
    """Write an audio file in the format that another name says, with its tags."""
    out.parent.mkdir(parents=True, exist_ok=True)
    info = audio.audio_info(source)
    wave = audio.read(source, sample_rate=info.sample_rate, channels=info.channels)
    audio.write(out, wave, sample_rate=info.sample_rate, tags=audio.read_tags(source))


def count_up(settings: ClipSettings, count: int) -> list[ClipSettings]:
    """Return so many settings, their seeds counting up; RequestError where they are too many."""
    check_order_size(count)
    seeds = [(settings.seed + number) % SEEDS_BELOW for number in range(count)]
    return [settings.model_copy(update={"seed": seed}) for seed in seeds]


def vary_clip(record: ClipRecord, count: int, spread: float) -> list[ClipSettings]:
    """Return settings of clips near one: the next numbers of its variations.

    RequestError where they are too many.
    """
    check_order_size(count)
    first = int(record.settings.controls.get("variation", 0)) + 1
    return [
        with_controls(record.settings, variation=number, spread=spread)
        for number in range(first, first + count)
    ]


def continue_clip(record: ClipRecord, seconds: float) -> ClipSettings:
    """Return settings of a clip that goes on from one for so long, with the seed after its own."""
    taken = {"source", "strength", "inpaint", "ranges", "extend", "loop", "variation", "spread"}
    kept = {key: value for key, value in record.settings.controls.items() if key not in taken}
    controls = {**kept, "extend": f"clip:{record.key}"}
    seed = (record.settings.seed + 1) % DRAWN_BELOW
    changes = {"controls": controls, "seconds": seconds, "seed": seed}
    return record.settings.model_copy(update=changes)


def with_controls(settings: ClipSettings, **changes: object) -> ClipSettings:
    """Return settings with some controls in place of theirs."""
    return settings.model_copy(update={"controls": {**settings.controls, **changes}})
