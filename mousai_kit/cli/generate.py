"""Commands that train, and that make music: run, generate, reconstruct, evaluate."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mousai_kit.cli.app import (
    Json,
    Out,
    Revision,
    Set,
    Source,
    Target,
    app,
    no_garbage_collection,
    on_interrupt,
    print_json,
    print_result,
    starting,
)
from mousai_kit.cli.streaming import check_stream, write_stream
from mousai_kit.core.errors import RequestError, argument_error

if TYPE_CHECKING:
    from mousai_kit.generation.generator import GenerationJob


@app.command()
def run(
    source: Source,
    overrides: Set = None,
    out: Out = None,
    go_on: Annotated[
        bool,
        typer.Option(
            "--go-on",
            help="Where only settings of training changed, go on from the checkpoint with them.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Train what is not trained yet, make the recipe's prompts into music, write the report."""
    from mousai_kit.core.console import Screen

    screen = Screen()
    with no_garbage_collection(), screen.busy("reading the recipe"):  # and all that it may name
        from mousai_kit.evaluation import report
        from mousai_kit.generation import generate as making
        from mousai_kit.runs import status
        from mousai_kit.runs.resolve import resolve_recipe
        from mousai_kit.runs.run import Run
        from mousai_kit.runs.run_folder import RunFolder
        from mousai_kit.training.run import train_run

        recipe = resolve_recipe(source, overrides, run=out, screen=screen)
    folder = RunFolder(out) if out else RunFolder.default(recipe)
    with on_interrupt(lambda: status.status_message(recipe, folder)), folder.lock():
        system = Run(recipe, folder, screen)
        jobs = making.recipe_jobs(system)
        train_run(system, go_on=go_on)
        made = making.generate(system, jobs, folder=folder.audio)
        if not system.ranks.main:
            return
        figures = report.write_report(system)
    if as_json:
        print_json(
            {"folder": str(folder.path), "clips": [asdict(result) for result in made], **figures}
        )
    else:
        typer.echo(
            report.closing_message(system, figures, [clip.path for clip in made], source=source)
        )


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
    negative: Annotated[
        str | None, typer.Option(help="Text to keep away from, instead of from no text.")
    ] = None,
    guidance_rescale: Annotated[
        float | None, typer.Option(help="Against over-saturation: 0, not at all, to 1.")
    ] = None,
    guidance_interval: Annotated[
        tuple[float, float] | None,
        typer.Option(help="Levels of noise, 0 to 1, between which guidance acts."),
    ] = None,
    guidance_schedule: Annotated[
        str | None, typer.Option(help="Guidance over the levels: constant, linear or cosine.")
    ] = None,
    blend: Annotated[
        str | None, typer.Option(help="Text that a clip goes to, along its length.")
    ] = None,
    blend_at: Annotated[
        float | None, typer.Option(help="Share of that text in the whole clip instead, 0 to 1.")
    ] = None,
    variations: Annotated[
        int | None, typer.Option(help="Clips near each seed's, instead of it.", min=1, max=1000)
    ] = None,
    spread: Annotated[
        float | None, typer.Option(help="How far they are: 0, the same, to 1, unrelated.")
    ] = None,
    condition: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="What clips are told besides the text, such as melody=hum.wav; repeatable.",
        ),
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--from", help="An audio file to begin from.")
    ] = None,
    strength: Annotated[
        float | None, typer.Option(help="How far to leave the file: 0 gives it back, 1 ignores it.")
    ] = None,
    inpaint: Annotated[
        Path | None, typer.Option(help="An audio file of which each --range is made anew.")
    ] = None,
    ranges: Annotated[
        list[str] | None,
        typer.Option("--range", metavar="FROM-TO", help="Seconds of the file, 3-6.5; repeatable."),
    ] = None,
    extend: Annotated[
        Path | None,
        typer.Option("--continue", help="An audio file to go on from, for --seconds more."),
    ] = None,
    loop: Annotated[
        bool, typer.Option("--loop", help="Make the end lead to the beginning.")
    ] = False,
    count: Annotated[int, typer.Option(help="Clips for each prompt, with seeds counting up.")] = 1,
    batch: Annotated[int | None, typer.Option(help="Clips to make at a time.", min=1)] = None,
    compiled: Annotated[
        bool,
        typer.Option("--compile", help="Compile networks first: for many clips of one length."),
    ] = False,
    interactive: Annotated[
        bool,
        typer.Option("--interactive", help="Load once, then take a prompt a line; Ctrl-D ends."),
    ] = False,
    stream: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Write one clip as WAV as it is made, to a file, a pipe or - (standard output).",
        ),
    ] = None,
    revision: Revision = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the clips.")] = None,
    overrides: Set = None,
    as_json: Json = False,
) -> None:
    """Make music from prompts with a trained system: a run, or one that others trained."""
    with starting():
        from mousai_kit.core.files import check_folder
        from mousai_kit.core.plugins import installed_registry
        from mousai_kit.generation import generate as making
        from mousai_kit.runs.resolve import trained_system

        installed_registry()
    if out is not None:
        check_folder(out)
    texts = [*(prompts or []), *(_read_prompts(file) if file else [])]
    system = trained_system(target, overrides, steps, adapter or (), revision)
    if stream is not None:
        others = {"count": count != 1, "variations": variations not in (None, 1)}
        others |= {"interactive": interactive, "json": as_json, "out": out is not None}
        check_stream(stream, others, texts)
    if interactive and texts:
        raise argument_error("interactive", "prompts come line by line; leave them out here")
    if not (texts or interactive):
        making.require_text_conditioning(system)
        raise RequestError("there is no prompt; give one or more, or a file of them with --prompts")
    controls = making.parse_controls(
        system.recipe,
        negative=negative,
        guidance_rescale=guidance_rescale,
        guidance_interval=guidance_interval,
        guidance_schedule=guidance_schedule,
        blend=blend,
        blend_at=blend_at,
        variation=variations and 1,
        spread=spread,
        source=source,
        strength=strength,
        inpaint=inpaint,
        ranges=ranges,
        extend=extend,
        loop=loop or None,
        conditions=_read_conditions(condition),
    )

    def jobs(texts: list[str]) -> list[GenerationJob]:
        """Return what is asked for of each text."""
        asked = making.jobs_of(
            system,
            texts,
            seed=seed,
            count=count,
            seconds=seconds,
            guidance=guidance,
            controls=controls,
        )
        return making.vary(asked, variations)

    def make(asked: list[GenerationJob]) -> None:
        """Make clips, and print where they are."""
        made = making.generate(system, asked, folder=out or system.folder.audio, batch=batch)
        if system.ranks.main:
            clips, paths = [asdict(clip) for clip in made], [clip.path for clip in made]
            print_result(clips, paths, as_json=as_json)

    asked = jobs(texts or [""])  # which tells of what can't be before anything is loaded
    system.load_for_inference(compiled=compiled)
    if stream is not None:
        write_stream(system, asked[0], stream, batch=batch)
    elif interactive:
        _for_each_line(lambda text: make(jobs([text])))
    else:
        make(asked)


def _for_each_line(make: Callable[[str], None]) -> None:
    """Make what each line of standard input asks for; one that can't be is told, and passed by."""
    if sys.stdin.isatty():
        typer.echo("a prompt a line; Ctrl-D ends", err=True)
    for line in sys.stdin:
        if text := line.strip():
            try:
                make(text)
            except RequestError as error:
                typer.echo(error, err=True)
            sys.stdout.flush()  # for a program that waits for the clip


@app.command()
def reconstruct(
    target: Target,
    source: Annotated[Path, typer.Argument(help="An audio file.")],
    out: Annotated[Path | None, typer.Option(help="The file to write.")] = None,
    start: Annotated[float, typer.Option(help="Where to begin, in seconds.")] = 0.0,
    seconds: Annotated[float | None, typer.Option(help="How much; default: all of it.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the noise.", min=0)] = 0,
    prompt: Annotated[
        str, typer.Option(help="A text for a stage that hears one beside its latents.")
    ] = "",
    guidance: Annotated[
        float | None, typer.Option(help="How strictly to follow the prompt: 1 to 15.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Steps of every stage's sampler.")] = None,
    revision: Revision = None,
    overrides: Set = None,
    as_json: Json = False,
) -> None:
    """Bring a file through the autoencoder and back, with a mel picture of both."""
    with starting():
        from mousai_kit.core.plugins import installed_registry
        from mousai_kit.generation import generate as making
        from mousai_kit.runs.resolve import half_trained_system

        installed_registry()
    system = half_trained_system(target, overrides, steps, revision)
    name = f"{source.stem}-reconstructed.{system.recipe.generate.format}"
    out = out or system.folder.audio / name
    _check_file(out, source)
    trained = system.load_for_inference(system.autoencoder_stages)
    made = making.reconstruct(
        trained,
        source,
        out=out,
        seconds=seconds,
        start=start,
        seed=seed,
        prompt=prompt,
        guidance=guidance,
    )
    typer.echo(json.dumps({"path": str(made)}) if as_json else str(made))


@app.command()
def evaluate(
    target: Target, revision: Revision = None, overrides: Set = None, as_json: Json = False
) -> None:
    """Show whether a trained run listens to its latents and its text; write report.md."""
    with starting():
        from mousai_kit.core.plugins import installed_registry
        from mousai_kit.evaluation import report
        from mousai_kit.runs.resolve import half_trained_system

        installed_registry()
    system = half_trained_system(target, overrides, revision=revision)
    system.folder.check_own()
    figures = report.write_report(system.load(system.evaluable_stages))
    if as_json:
        print_json(figures)
    else:
        typer.echo((system.folder.path / "report.md").read_text())


def _read_conditions(given: list[str] | None) -> dict[str, str] | None:
    """Return conditions by name; RequestError where one has no value, or is given twice."""
    if not given:
        return None
    found: dict[str, str] = {}
    for item in given:
        name, _, value = item.partition("=")
        if not name or not value:
            told = "must be a name and a value, as in melody=hum.wav"
            raise argument_error("condition", told, item)
        if name in found:
            raise argument_error("condition", "is given twice; give it once", name)
        found[name] = value
    return found


def _read_prompts(file: Path) -> list[str]:
    """Return the prompts of a file, one a line; a byte order mark and blank lines are none."""
    if file.is_dir():
        raise RequestError.about(file, "is a folder; --prompts names a text file")
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise RequestError.about(file, "is no UTF-8 text; save it as such") from None
    return [line.strip() for line in lines if line.strip()]


def _check_file(out: Path, source: Path) -> None:
    """Raise RequestError where a result can't be written to `out`, before it is made."""
    from mousai_kit import audio

    if out.is_dir():
        told = "is a folder; --out names a file"
    elif out.suffix.lower() not in audio.FORMATS:
        told = f"--out must end in one of {', '.join(audio.FORMATS)}"
    elif out.exists() and source.exists() and out.samefile(source):
        told = "is the file to be read; --out is another"
    else:
        return
    raise RequestError.about(audio.display_path(out), told)
