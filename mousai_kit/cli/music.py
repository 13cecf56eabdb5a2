"""Commands that train, and that make music: run, generate, reconstruct, evaluate."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mousai_kit.cli.app import (
    Json,
    Out,
    Set,
    Source,
    Target,
    app,
    interruption_told,
    print_json,
)


@app.command()
def run(source: Source, overrides: Set = None, out: Out = None, as_json: Json = False) -> None:
    """Train what is not trained yet, make the recipe's prompts into music, write the report."""
    from mousai_kit import making, report, standing
    from mousai_kit.console import Screen
    from mousai_kit.runs import RunFolder
    from mousai_kit.system import System
    from mousai_kit.targets import own_orders, recipe_of

    recipe = recipe_of(source, overrides, run=out)
    folder = RunFolder(out) if out else RunFolder.default(recipe)
    with interruption_told(lambda: standing.told(recipe, folder)), folder.locked():
        system = System(recipe, folder, Screen())
        wanted = own_orders(system)
        system.train()
        made = making.generate(system, wanted, folder=folder.audio, batch=recipe.generate.batch)
        if not system.ranks.main:
            return
        figures = report.write(system)
    if as_json:
        print_json({"folder": str(folder.path), "clips": [asdict(it) for it in made], **figures})
    else:
        typer.echo(report.farewell(system, figures, [it.path for it in made], source=source))


@app.command()
def generate(
    target: Target,
    prompts: Annotated[list[str] | None, typer.Argument(help="What to play.")] = None,
    file: Annotated[
        Path | None, typer.Option("--prompts", help="A text file with a prompt a line.")
    ] = None,
    seconds: Annotated[float | None, typer.Option(help="Length of a clip.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the first clip of each prompt.")] = 0,
    steps: Annotated[int | None, typer.Option(help="Steps of every stage's sampler.")] = None,
    guidance: Annotated[
        float | None, typer.Option(help="How strictly to follow the prompt: 1 to 15.")
    ] = None,
    adapter: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH[:STRENGTH]",
            help="A tuned run, or a file of adapters, to play with; repeatable.",
        ),
    ] = None,
    count: Annotated[int, typer.Option(help="Clips for each prompt, with seeds counting up.")] = 1,
    batch: Annotated[int | None, typer.Option(help="Clips to make at a time.", min=1)] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the clips.")] = None,
    overrides: Set = None,
    as_json: Json = False,
) -> None:
    """Make music from prompts with a trained run."""
    from mousai_kit import making
    from mousai_kit.durable import check_folder
    from mousai_kit.generation import orders
    from mousai_kit.targets import prompts_in, trained_system

    if out is not None:
        check_folder(out)
    texts = [*(prompts or []), *(prompts_in(file) if file else [])]
    system = trained_system(target, overrides, steps, adapter or ())
    making.check_text(system)
    settings = system.recipe.generate
    wanted = orders(
        texts,
        seed=seed,
        count=count,
        seconds=settings.seconds if seconds is None else seconds,
        guidance=settings.guidance if guidance is None else guidance,
    )
    made = making.generate(
        system.load_to_play(),
        wanted,
        folder=out or system.folder.audio,
        batch=batch or settings.batch,
    )
    if not system.ranks.main:
        return
    if as_json:
        print_json([asdict(it) for it in made])
    else:
        typer.echo("\n".join(str(it.path) for it in made))


@app.command()
def reconstruct(
    target: Target,
    source: Annotated[Path, typer.Argument(help="An audio file.")],
    out: Annotated[Path | None, typer.Option(help="The file to write.")] = None,
    start: Annotated[float, typer.Option(help="Where to begin, in seconds.")] = 0.0,
    seconds: Annotated[float | None, typer.Option(help="How much; default: all of it.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the noise.", min=0)] = 0,
    steps: Annotated[int | None, typer.Option(help="Steps of every stage's sampler.")] = None,
    overrides: Set = None,
    as_json: Json = False,
) -> None:
    """Bring a file through the autoencoder and back, with a mel picture of both."""
    from mousai_kit import making
    from mousai_kit.targets import half_trained_system

    system = half_trained_system(target, overrides, steps)
    name = f"{source.stem}-reconstructed.{system.recipe.generate.format}"
    made = making.reconstruct(
        system.load_to_play(system.encoding),
        source,
        out=out or system.folder.audio / name,
        seconds=seconds,
        start=start,
        seed=seed,
    )
    typer.echo(json.dumps({"path": str(made)}) if as_json else str(made))


@app.command()
def evaluate(target: Target, overrides: Set = None, as_json: Json = False) -> None:
    """Show whether a trained run listens to its latents and its text; write report.md."""
    from mousai_kit import report
    from mousai_kit.targets import half_trained_system

    system = half_trained_system(target, overrides)
    figures = report.write(system.load(system.trained))
    if as_json:
        print_json(figures)
    else:
        typer.echo((system.folder.path / "report.md").read_text())
