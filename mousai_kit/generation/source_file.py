"""Source file: the audio that a clip begins from, what is asked of it, what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from torch import Tensor

from mousai_kit import audio
from mousai_kit.core.errors import RequestError, argument_error
from mousai_kit.core.interfaces import Controls, SignalSpace
from mousai_kit.generation.editing import Edit, Patched, Whole
from mousai_kit.generation.long_clip import LongClip
from mousai_kit.models.cascade import Cascade
from mousai_kit.models.memory import report_out_of_memory

STRENGTH = 0.6
"""How far a clip leaves the file that it begins from, where nothing is said."""
FILES = ("source", "inpaint", "extend")
"""The controls that name a file."""
RANGE = re.compile(r"(\d+(?:\.\d*)?)-(\d+(?:\.\d*)?)")
"""Seconds from and to."""
TOLERANCE = 1e-3
"""Seconds by which a range may end behind the file: what is rounded when it is shown."""


def source_path(controls: Controls) -> Path | None:
    """Return the file that controls name, if they name one."""
    names = [name for name in FILES if getattr(controls, name) is not None]
    return Path(getattr(controls, names[0])).expanduser() if names else None


def control_tags(controls: Controls) -> Iterator[tuple[str, str]]:
    """Yield what a clip's file says of controls: of a file, its name and what stands for it."""
    for name, text in controls.tags():
        if name in FILES:
            path = Path(text).expanduser()
            yield name, f"{audio.display_path(Path(path.name))} {audio.file_digest(path)}"
        else:
            yield name, text


def clip_seconds(
    cascade: Cascade, controls: Controls, *, asked: float | None, default: float
) -> float:
    """Return how long a clip is made: as asked, else as its file, else by default.

    RequestError or AudioError, before anything is made, where controls don't fit each other or
    their file.
    """
    _check_together(controls)
    if (path := source_path(controls)) is None:
        return default if asked is None else asked
    length = _file_seconds(cascade, path)
    if controls.extend is not None:
        return default if asked is None else asked
    if controls.inpaint is not None:
        parse_ranges(controls.ranges, length)
        if asked is not None:
            told = "a clip with ranges made anew is as long as its file; leave this out"
            raise argument_error("seconds", told)
        return length
    if asked is not None and asked > length + TOLERANCE:
        told = f"the file is {length:.2f} s long; ask for no more of it (got {asked:g})"
        raise argument_error("seconds", told)
    return length if asked is None else asked


def plan_edit(cascade: Cascade, controls: Controls, *, seconds: float, trained: int) -> Edit:
    """Return how clips are made that last so long; `trained` samples are what was learned from.

    RequestError or AudioError where a file can't be used: it is silent, say.
    """
    rate = cascade.audio.sample_rate
    samples = max(1, round(seconds * rate))
    longest = cascade.top.input_space.frames(trained)
    if (path := source_path(controls)) is None:
        return _plan_whole(cascade, samples, controls, longest=longest)
    wave = read_source(path, cascade.audio)
    if controls.source is not None:
        strength = STRENGTH if controls.strength is None else controls.strength
        used = wave[:, :samples]
        length = used.shape[-1]
        return _plan_whole(cascade, length, controls, longest=longest, wave=used, strength=strength)
    known = wave.shape[-1]
    if controls.extend is not None:
        total = known + samples
        added = [range(known, total)]
        return Patched(cascade, total, wave=wave, ranges=added, longest=longest)
    ranges = [
        range(round(start * rate), min(known, round(stop * rate)))
        for start, stop in parse_ranges(controls.ranges, known / rate)
    ]
    strength = 1.0 if controls.strength is None else controls.strength
    return Patched(cascade, known, wave=wave, ranges=ranges, longest=longest, strength=strength)


def _plan_whole(
    cascade: Cascade,
    samples: int,
    controls: Controls,
    *,
    longest: int,
    wave: Tensor | None = None,
    strength: float = 1.0,
) -> Edit:
    """Return how all of a clip is made: at once, or in windows of `longest` frames.

    Every frame of a loop is beside all others, so that it is made at once.
    """
    frames, top = cascade.top.input_space.frames(samples), cascade.top
    if top.continues and frames > longest and not controls.loop:
        return LongClip(cascade, samples, longest=longest, wave=wave, strength=strength)
    return Whole(cascade, samples, wave=wave, strength=strength)


def parse_ranges(texts: Sequence[str], length: float) -> list[tuple[float, float]]:
    """Return seconds (from, to) of a file of so many, in order; RequestError where one is wrong."""
    found = sorted((_parse_range(text, length), text) for text in texts)
    for ((_, stop), first), ((start, _), text) in pairwise(found):
        if start < stop:
            raise argument_error("ranges", f"overlaps with {first}; make one of them", text)
    return [seconds for seconds, _ in found]


def read_source(
    path: Path,
    space: SignalSpace,
    *,
    start: float = 0.0,
    seconds: float | None = None,
    use: str = "begin from",
) -> Tensor:
    """Return a file's audio [c, t] as a system takes it; an error where it is silent.

    `start` and `seconds` say what to read of it; None is all from there on.
    """
    name = audio.display_path(path)
    if path.is_dir():
        raise RequestError.about(name, "is a folder; name an audio file")
    with report_out_of_memory(f"{name}: does not fit into memory; take a shorter one"):
        wave = _read(path, space, audio.file_digest(path), start, seconds)
    if wave.abs().max() < audio.SILENCE:
        raise RequestError.about(name, f"is silent; there is nothing to {use}")
    return wave


@lru_cache(1)
def _read(
    path: Path, space: SignalSpace, digest: str, start: float, seconds: float | None
) -> Tensor:
    """Return audio, which stays what it is while the file's digest does."""
    rate, channels = space.sample_rate, space.channels
    return audio.read(path, sample_rate=rate, channels=channels, start=start, seconds=seconds)


def _check_together(controls: Controls) -> None:
    """Raise RequestError where controls make no sense together."""
    files = [name for name in FILES if getattr(controls, name) is not None]
    if len(files) > 1:
        told = "a clip can begin from one file, in one way; leave out the others"
        raise argument_error(files[1], told)
    if controls.loop and controls.source is None and files:
        told = "a clip that keeps a file's audio is no loop; leave out one of them"
        raise argument_error("loop", told)
    if controls.inpaint is not None or controls.extend is not None:
        _check_beside_kept(controls)
    if controls.ranges and controls.inpaint is None:
        told = "says which seconds of a file are made anew; name the file to inpaint, too"
        raise argument_error("ranges", told)
    if controls.inpaint is not None and not controls.ranges:
        raise argument_error("inpaint", "needs a range to make anew, such as 3-6 (seconds)")
    if controls.strength is not None and (not files or controls.extend is not None):
        told = "says how far to leave a file; name one to begin from, or to inpaint"
        raise argument_error("strength", told)


def _check_beside_kept(controls: Controls) -> None:
    """Raise RequestError where controls that follow a whole clip are given with a part of one."""
    if controls.conditions:
        told = "is told of a whole clip, and here a part is made; leave out one of them"
        raise argument_error("condition", told)
    if controls.blend is not None and controls.blend_at is None:
        told = "goes along a whole clip, and here a part is made; say a share of it (blend_at)"
        raise argument_error("blend", told)


def _file_seconds(cascade: Cascade, path: Path) -> float:
    """Return how long a file is; an error where it is no audio, or too short for a frame."""
    name = audio.display_path(path)
    if path.is_dir():
        raise RequestError.about(name, "is a folder; name an audio file")
    length, rate = audio.audio_info(path).seconds, cascade.audio.sample_rate
    frame = cascade.top.input_space.stride / rate
    if length < frame:
        told = f"lasts {length:.3f} s, less than a latent frame ({frame:.3f} s)"
        raise RequestError.about(name, f"{told}; take a longer one")
    return length


def _parse_range(text: str, length: float) -> tuple[float, float]:
    """Return the seconds that a range is from and to."""
    if not (match := RANGE.fullmatch(text.strip())):
        raise argument_error("ranges", "must be seconds from and to, such as 3-6.5", text)
    start, stop = float(match[1]), float(match[2])
    if stop <= start:
        raise argument_error("ranges", "must end after it begins", text)
    if stop > length + TOLERANCE:
        told = f"ends beyond the end of the file, which is {length:.2f} s long"
        raise argument_error("ranges", told, text)
    return start, min(stop, length)
