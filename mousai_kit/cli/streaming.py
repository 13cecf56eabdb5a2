"""`generate --stream`: a clip that is heard while it is made, through a pipe or from a file."""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from mousai_kit.cli.app import SIGNALLED, Interrupted
from mousai_kit.core.errors import RequestError, argument_error
from mousai_kit.core.rank import Rank

if TYPE_CHECKING:
    from mousai_kit.generation.generator import GenerationJob
    from mousai_kit.runs.run import Run

STDOUT = "-"
"""What standard output is called, and the option that names a file that is streamed to."""
LISTENER_GONE = SIGNALLED + 13
"""Exit code where whoever listens has closed the pipe: SIGPIPE's, which ends other programs."""


def check_stream(target: str, options: dict[str, bool], texts: list[str]) -> None:
    """Raise RequestError where a clip can't be streamed: `options` are given, or no single text."""
    for name, given in options.items():
        if given:
            raise argument_error(name, "means nothing beside --stream, which plays one clip")
    if len(texts) != 1:
        told = f"plays one clip; give one prompt (got {len(texts)})"
        raise argument_error("stream", told)
    if not Rank.here().alone:
        raise argument_error("stream", "plays one clip; run one process")
    if target == STDOUT:
        if sys.stdout.isatty():
            told = "would write sound to the terminal; pipe it to a player, or name a file"
            raise argument_error("stream", told)
        return
    path = Path(target)
    if path.is_dir():
        raise argument_error("stream", "is a folder; name a file or a pipe", target)
    if not path.parent.is_dir():
        raise argument_error("stream", "is in a folder that does not exist", target)
    if not _is_pipe(path) and path.suffix.lower() != ".wav":
        raise argument_error("stream", "must end in .wav: what is streamed is WAV", target)


def write_stream(system: Run, job: GenerationJob, target: str, *, batch: int | None) -> None:
    """Write a clip as WAV while it is made; say what is to be said of it on standard error.

    Interrupted, without a word, where whoever listens has closed the pipe.
    """
    from mousai_kit.audio import WavStream
    from mousai_kit.generation import generate as making

    pieces, space = making.stream(system, job, batch=batch), system.cascade.audio
    name = "standard output" if target == STDOUT else target
    try:
        with _open_target(system, target) as file:
            sound = WavStream(
                file, name=name, sample_rate=space.sample_rate, channels=space.channels
            )
            for piece in pieces:
                sound.add(piece)
            sound.finish()
    except BrokenPipeError:
        raise Interrupted("", LISTENER_GONE) from None
    except OSError as error:
        raise RequestError.about(name, f"can't be written ({error.strerror})") from None
    if sound.peak > 1:
        told = f"peaks reach {sound.peak:.3f}; what is beyond 1 was cut off"
        system.screen.print(f"{name}: {told} (a file would be scaled down)")


@contextmanager
def _open_target(system: Run, target: str) -> Iterator[BinaryIO]:
    """Open what is streamed to, unbuffered: each piece is heard at once. A pipe may wait."""
    if target == STDOUT:
        sys.stdout.flush()
        with open(sys.stdout.fileno(), "wb", buffering=0, closefd=False) as file:
            yield file
        return
    path = Path(target)
    if _is_pipe(path):
        with system.screen.busy(f"waiting for a listener at {target}"):
            opened = path.open("wb", buffering=0)
    else:
        opened = path.open("wb", buffering=0)
    with opened as file:
        yield file


def _is_pipe(path: Path) -> bool:
    """Return whether a path is no file but a pipe or a device."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False
