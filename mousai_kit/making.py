"""What a trained system makes: clips from prompts, and music brought through its latents."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from mousai_kit import __version__, audio, checkpoints
from mousai_kit.errors import Problem, RequestError
from mousai_kit.generation import Generator, Made, Order, check_memory, out_of_memory_told
from mousai_kit.interfaces import Request
from mousai_kit.system import System
from mousai_kit.training import autocast


def generate(
    system: System, wanted: Sequence[Order], *, folder: Path, batch: int | None = None
) -> list[Made]:
    """Return the clips of all orders, made or found made, with their pictures in `folder`.

    `batch` clips are made at a time: by default one on a CPU, eight elsewhere.
    """
    weights = [
        checkpoints.header(system.folder.stage(name).weights)["digest"]
        for name in system.cascade.stages
    ]
    steps = "+".join(str(steps) for steps in reversed(system.cascade.evaluations.values()))
    generator = Generator(
        system.cascade,
        tags={
            "recipe": system.recipe.name,
            "recipe_hash": system.recipe.hash,
            "weights": " ".join(weights),
            "steps": steps,
        },
        precision=_precision(system),
    )
    return generator.make(
        wanted,
        folder=folder,
        suffix=system.recipe.generate.format,
        batch=batch or (1 if system.device.type == "cpu" else 8),
        screen=system.screen,
    )


def reconstruct(
    system: System, source: Path, *, out: Path, seconds: float | None, start: float, seed: int
) -> Path:
    """Bring a file through the latents and back; return the audio file, a picture beside it."""
    names = [name for name, stage in system.cascade.stages.items() if stage.space is not None]
    if not names:
        raise RequestError(
            "this recipe has no stage that encodes audio; nothing to reconstruct with"
        )
    rate, top = system.recipe.audio.sample_rate, names[-1]
    wave = audio.read(
        source,
        sample_rate=rate,
        channels=system.recipe.audio.channels,
        start=start,
        seconds=seconds,
    )
    if wave.abs().max() < audio.SILENCE:
        raise RequestError(Problem(str(source), "", "is silent; there is nothing to reconstruct"))
    length = wave.shape[-1]
    check_memory(system.cascade, length / rate, 1)
    with (
        system.screen.bar("reconstructing", system.cascade.evaluations[top]) as bar,
        out_of_memory_told(length / rate),
        autocast(system.device, _precision(system)),
        torch.no_grad(),
    ):
        signal = wave[None].to(system.device)
        latents = system.cascade.stages[top].encode(system.cascade.encode(signal, up_to=top))
        request = Request([""], [seed], length, progress=bar.advance)
        made = system.cascade.decode(latents, request, top=top)[0].float().cpu()
    out.parent.mkdir(parents=True, exist_ok=True)
    tags = {"title": f"{source.stem} through {system.recipe.name}", "seed": str(seed)}
    tags |= {"recipe_hash": system.recipe.hash, "software": f"mousai-kit {__version__}"}
    audio.write(out, made, sample_rate=rate, tags=tags)
    panels = {f"real: {source.name}": wave, "through the latents and back": made}
    audio.picture(out.with_suffix(".png"), panels, sample_rate=rate)
    return out


def _precision(system: System) -> str:
    """Return the precision of training, in which the system is also played."""
    return next(iter(system.recipe.stages.values())).train.precision
