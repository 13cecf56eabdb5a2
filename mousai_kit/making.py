"""What a trained system makes: clips from prompts, and music brought through its latents."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from pathlib import Path

from torch import Tensor

from mousai_kit import __version__, audio, checkpoints
from mousai_kit.errors import Problem, RequestError
from mousai_kit.generation import Generator, Made, Order
from mousai_kit.reconstruction import Reconstructor
from mousai_kit.system import System


def generate(
    system: System, wanted: Sequence[Order], *, folder: Path, batch: int | None = None
) -> list[Made]:
    """Return the clips of all orders, made or found made, with their pictures in `folder`.

    `batch` clips are made at a time: by default one on a CPU, eight elsewhere.
    """
    if not wanted:
        return []
    return generator(system).make(
        wanted,
        folder=folder,
        suffix=system.recipe.generate.format,
        batch=batch or at_a_time(system),
        screen=system.screen,
    )


def generator(system: System) -> Generator:
    """Return what makes clips with a trained system, tagged with where they come from."""
    weights = [
        checkpoints.header(system.folder.stage(name).weights)["digest"]
        for name in system.cascade.stages
    ]
    steps = "+".join(str(steps) for steps in reversed(system.cascade.evaluations.values()))
    return Generator(
        system.cascade,
        tags={
            "recipe": system.recipe.name,
            "recipe_hash": system.recipe.hash,
            "weights": " ".join([*weights, *(it.tag for it in system.adapters)]),
            "steps": steps,
        },
        precision=_precision(system),
        window=system.recipe.window,
        ranks=system.ranks,
    )


def at_a_time(system: System) -> int:
    """Return how many clips are made at a time where nothing is said: one on a CPU, else eight."""
    return 1 if system.device.type == "cpu" else 8


def check_text(system: System) -> None:
    """Raise RequestError where a system makes no music from text."""
    if (top := system.cascade.top).space is not None:
        raise RequestError(
            f"the top stage, {top.name}, makes no music from text, so that there is nothing to do "
            "with prompts; leave them out (`generate.prompts`), or add a stage above it"
        )


def reconstruct(
    system: System, source: Path, *, out: Path, seconds: float | None, start: float, seed: int
) -> Path:
    """Bring a file through the latents and back; return the audio file, a picture beside it.

    `start` and `seconds` say what to read of the file; None is all from there on.
    """
    if seconds is not None and not 0 < seconds < inf:
        raise RequestError(f"--seconds: must be a number above 0 (got {seconds:g})")
    if not 0 <= start < inf:
        raise RequestError(f"--start: must be a number of 0 or more (got {start:g})")
    top = _highest_with_latents(system)
    _check_out(out, source)
    wave = _read(system, source, start=start, seconds=seconds)
    tags = {"title": f"{source.stem} through {system.recipe.name}", "seed": str(seed)}
    tags |= {"recipe_hash": system.recipe.hash, "software": f"mousai-kit {__version__}"}
    through = Reconstructor(
        system.cascade, top, precision=_precision(system), window=system.recipe.window
    )
    through.make(wave, out, seed=seed, real=source.name, tags=tags, screen=system.screen)
    return out


def _highest_with_latents(system: System) -> str:
    names = [name for name, stage in system.cascade.stages.items() if stage.space is not None]
    if not names:
        raise RequestError(
            "this recipe has no stage that encodes audio; nothing to reconstruct with"
        )
    return names[-1]


def _check_out(out: Path, source: Path) -> None:
    """Raise RequestError where a result can't be written to `out`, before it is made."""
    if out.is_dir():
        raise RequestError(Problem(audio.shown(out), "", "is a folder; --out names a file"))
    if out.suffix.lower() not in audio.FORMATS:
        known = ", ".join(audio.FORMATS)
        raise RequestError(Problem(audio.shown(out), "", f"--out must end in one of {known}"))
    if out.exists() and source.exists() and out.samefile(source):
        raise RequestError(
            Problem(audio.shown(out), "", "is the file to be read; --out is another")
        )


def _read(system: System, source: Path, *, start: float, seconds: float | None) -> Tensor:
    """Return a file's audio [c, t] as the system takes it; an error where it is silent."""
    if source.is_dir():
        raise RequestError(Problem(audio.shown(source), "", "is a folder; name an audio file"))
    wave = audio.read(
        source,
        sample_rate=system.recipe.audio.sample_rate,
        channels=system.recipe.audio.channels,
        start=start,
        seconds=seconds,
    )
    if wave.abs().max() < audio.SILENCE:
        raise RequestError(
            Problem(audio.shown(source), "", "is silent; there is nothing to reconstruct")
        )
    return wave


def _precision(system: System) -> str:
    """Return the precision of training, in which the system is also played."""
    return next(iter(system.recipe.stages.values())).train.precision
