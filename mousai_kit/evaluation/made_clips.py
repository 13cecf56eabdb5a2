"""Clips to be judged: made by one process, and used again while they would be the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from mousai_kit import audio
from mousai_kit.core.errors import AudioError
from mousai_kit.distributed import Communicator
from mousai_kit.generation import generate as making
from mousai_kit.generation.generator import GeneratedFile, GenerationJob
from mousai_kit.recipe.schema import fingerprint
from mousai_kit.runs.run import Run


def make_clips(system: Run, jobs: Sequence[GenerationJob], *, folder: Path) -> list[Path | None]:
    """Return the files of all jobs' clips as `generate` makes them, by this process alone.

    Those that are there, and can be decoded, are used again whatever else has changed in the recipe
    than what makes them. A clip that can't be written, as it is silent, is told and None.
    """
    generator = making.generator_for(system, jobs, None)
    values = system.recipe.to_dict()
    made_by = {name: values[name] for name in ("audio", "stages")}
    generator.tags["recipe_hash"] = fingerprint({**made_by, "window": system.recipe.window_samples})
    generator.ranks = Communicator()
    write = partial(generator.write, folder=folder, suffix=system.recipe.generate.format)
    try:
        made = write(jobs)
        if broken := [clip.path for clip in made if clip.reused and not _decodes(clip.path)]:
            for path in broken:
                path.unlink()
            made = write(jobs)
        return [clip.path for clip in made]
    except AudioError:
        return [_write_alone(write, job, system.screen.print) for job in jobs]


def _decodes(path: Path) -> bool:
    """Return whether all of an audio file can be decoded."""
    try:
        about = audio.audio_info(path)
        audio.read(path, sample_rate=about.sample_rate, channels=about.channels)
    except AudioError:
        return False
    return True


def _write_alone(
    write: Callable[[Sequence[GenerationJob]], Sequence[GeneratedFile]],
    job: GenerationJob,
    tell: Callable[[str], None],
) -> Path | None:
    """Return the file of a job's clip; None, and told why, where it can't be written."""
    try:
        return write([job])[0].path
    except AudioError as error:
        tell(str(error))
        return None
