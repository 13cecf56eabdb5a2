"""The commands. Heavy imports live inside them, so that `--help` is quick."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from mousai_kit import __version__
from mousai_kit.errors import MousaiError, one_line

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""
_MISUSE: type[Exception] = typer.BadParameter.__mro__[2]
"""Whatever typer raises for a command that was called wrongly: it exports no name for all of it."""

app = typer.Typer(
    name="mousai-kit",
    help="Text-to-music diffusion systems, put together from parts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Source = Annotated[str, typer.Argument(help="A recipe: a YAML file, or the name of a shipped one.")]
Target = Annotated[str, typer.Argument(help="A run folder, or a recipe that was run.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change a value of the recipe; repeatable."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
Out = Annotated[
    Path | None, typer.Option(help="Folder for the run; default: runs/<recipe's name>.")
]


def main() -> None:
    """Run a command; a user's mistake is one line a problem and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a file's name may be no text at all
            stream.reconfigure(errors="backslashreplace")
    try:
        code = app(prog_name="mousai-kit", standalone_mode=False)
    except MousaiError as error:
        _end("\n".join(one_line(str(problem)) for problem in error.problems), 2)
    except _MISUSE as error:
        _end(_misused(error), 2)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _end(one_line(f"{place}{error.strerror or error}"), 2)
    if code == INTERRUPTED:
        _end("interrupted; `run` goes on from its last checkpoint", INTERRUPTED)
    sys.exit(code)


@app.command()
def run(source: Source, overrides: Set = None, out: Out = None, as_json: Json = False) -> None:
    """Train what is not trained yet, make the recipe's prompts into music, write the report."""
    from mousai_kit import making, report
    from mousai_kit.console import Screen
    from mousai_kit.runs import RunFolder
    from mousai_kit.system import System
    from mousai_kit.targets import own_orders, recipe_of

    recipe = recipe_of(source, overrides)
    folder = RunFolder(out) if out else RunFolder.default(recipe)
    with folder.locked():
        system = System(recipe, folder, Screen())
        wanted = own_orders(system)
        system.train()
        made = making.generate(system, wanted, folder=folder.audio, batch=recipe.generate.batch)
        figures = report.write(system)
    if as_json:
        _print({"folder": str(folder.path), "clips": [asdict(it) for it in made], **figures})
    else:
        typer.echo(report.farewell(system, figures, [it.path for it in made]))


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
    count: Annotated[int, typer.Option(help="Clips for each prompt, with seeds counting up.")] = 1,
    batch: Annotated[int | None, typer.Option(help="Clips to make at a time.", min=1)] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the clips.")] = None,
    overrides: Set = None,
    as_json: Json = False,
) -> None:
    """Make music from prompts with a trained run."""
    from mousai_kit import making
    from mousai_kit.generation import orders
    from mousai_kit.targets import prompts_in, trained_system

    texts = [*(prompts or []), *(prompts_in(file) if file else [])]
    system = trained_system(target, overrides, steps)
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
        system.load(), wanted, folder=out or system.folder.audio, batch=batch or settings.batch
    )
    if as_json:
        _print([asdict(it) for it in made])
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
    from mousai_kit.targets import trained_system

    system = trained_system(target, overrides, steps)
    name = f"{source.stem}-reconstructed.{system.recipe.generate.format}"
    made = making.reconstruct(
        system.load(),
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
    from mousai_kit.targets import trained_system

    system = trained_system(target, overrides)
    figures = report.write(system.load())
    if as_json:
        _print(figures)
    else:
        typer.echo((system.folder.path / "report.md").read_text())


@app.command()
def validate(source: Source, overrides: Set = None, as_json: Json = False) -> None:
    """Check a recipe, all of it, and that its parts fit together."""
    from mousai_kit.cascade import Cascade
    from mousai_kit.targets import recipe_of

    try:
        recipe = recipe_of(source, overrides)
        Cascade.build(recipe, device="meta")
    except MousaiError as error:
        if not as_json:
            raise
        _print({"valid": False, "problems": [str(problem) for problem in error.problems]})
        raise typer.Exit(2) from None
    if as_json:
        _print({"valid": True, "name": recipe.name, "hash": recipe.hash})
    else:
        typer.echo(f"{source}: valid ({recipe.name}, {recipe.hash})")


@app.command()
def ls(
    kind: Annotated[str | None, typer.Argument(help="A kind, such as sampler.")] = None,
    as_json: Json = False,
) -> None:
    """List the installed components, and the shipped recipes."""
    from mousai_kit import inspection, printing

    rows = inspection.components(kind)
    if as_json:
        _print(rows)
    else:
        printing.print_components(rows)


@app.command()
def show(
    what: Annotated[str, typer.Argument(help="A recipe, or a component's name (kind/name).")],
    overrides: Set = None,
    as_json: Json = False,
) -> None:
    """Describe a recipe (stages, parameters, latents, memory) or a component (its options)."""
    from mousai_kit import inspection, printing
    from mousai_kit.targets import recipe_of

    if (component := inspection.component(what)) is not None:
        facts = inspection.component_facts(component)
        _print(facts) if as_json else printing.print_component(facts)
    else:
        facts = inspection.recipe_facts(recipe_of(what, overrides))
        _print(facts) if as_json else printing.print_recipe(facts)


@app.command()
def plugins(as_json: Json = False) -> None:
    """List the installed plug-ins: what they offer, or why one was left out."""
    from mousai_kit import inspection, printing

    rows = inspection.plugins()
    if as_json:
        _print(rows)
    else:
        printing.print_plugins(rows)


@app.command()
def cp(
    name: Annotated[str, typer.Argument(help="A shipped recipe, such as mousai.")],
    target: Annotated[Path | None, typer.Argument(help="The file to write.")] = None,
    force: Annotated[bool, typer.Option(help="Replace a file that is there.")] = False,
) -> None:
    """Copy a shipped recipe to edit."""
    from mousai_kit.recipe import copy_shipped

    typer.echo(str(copy_shipped(name, target, force=force)))


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mousai-kit {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None: ...


def _print(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def _misused(error: Any) -> str:
    """Return one line on a command that was called wrongly; none where help was printed."""
    command = error.ctx.command_path if getattr(error, "ctx", None) else "mousai-kit"
    line = " ".join(error.format_message().split()).removesuffix(".")
    if type(error).__name__ == "NoArgsIsHelpError":
        return ""
    see = "" if line.endswith("?") else f"; see `{command} --help`"
    return f"{command}: {line[0].lower()}{line[1:]}{see}"


def _end(message: str, code: int) -> NoReturn:
    if message:
        typer.echo(message, err=True)
    sys.exit(code)
