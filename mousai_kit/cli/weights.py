"""Commands that bring weights in, and take ours out: import, export, publish."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mousai_kit.cli.app import Json, Set, Target, app, print_result


@app.command("import")
def import_weights(
    form: Annotated[
        str, typer.Argument(metavar="FORMAT", help="Whose names they have, such as archinet.")
    ],
    source: Annotated[
        str, typer.Argument(help="A file, a folder, or a model on the Hugging Face hub.")
    ],
    stage: Annotated[
        str | None,
        typer.Option(
            help="The stage that they are for; default: all, where FORMAT knows its files."
        ),
    ] = None,
    into: Annotated[
        Path | None, typer.Option(help="Folder of the run; default: runs/<recipe's name>.")
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(help="The recipe of a new run; default: the one that FORMAT goes with."),
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Commit of a model on the hub.")] = None,
    file: Annotated[
        str | None, typer.Option(help="The file of weights in a folder or a model.")
    ] = None,
    overrides: Set = None,
    as_json: Json = False,
) -> None:
    """Bring another project's weights in as trained stages of a run."""
    from mousai_kit.runs.import_weights import Importer, find_format, summary_lines
    from mousai_kit.runs.resolve import import_target

    usual = find_format(form).recipe
    target = import_target(recipe, into, overrides, usual=usual)
    importer = Importer(form, *target, stage=stage)
    imported = importer.run(source, file=file, revision=revision)
    lines = [line for each in imported for line in (*summary_lines(each), each.weights)]
    facts = [asdict(each) for each in imported]
    print_result(facts if stage is None else facts[0], lines, as_json=as_json)


@app.command("export")
def export_weights(
    target: Target,
    form: Annotated[
        str, typer.Option("--format", help="safetensors (our names), or whose names: archinet.")
    ] = "safetensors",
    stage: Annotated[
        str | None, typer.Option(help="The stage; default: all that are trained.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the files; default: export/ in the run's.")
    ] = None,
    overrides: Set = None,
    as_json: Json = False,
) -> None:
    """Write a run's averaged weights as plain files, for other programs."""
    from mousai_kit.runs.export_weights import Exporter
    from mousai_kit.runs.resolve import resolve_run

    recipe, folder = resolve_run(target, overrides)
    where = out or folder.path / "export"
    files = Exporter(recipe, folder, form=form, stage=stage, out=where).write()
    print_result([str(file) for file in files], files, as_json=as_json)


@app.command()
def publish(
    target: Target,
    to: Annotated[
        str,
        typer.Option(
            metavar="OWNER/NAME|FOLDER",
            help="Where to: a model on the Hugging Face hub, or a folder (./name is always one).",
        ),
    ],
    licence: Annotated[
        str | None,
        typer.Option("--license", help="Under which licence others may use it, as cc-by-4.0."),
    ] = None,
    half: Annotated[
        bool, typer.Option("--half", help="Write large weights in half precision (float16).")
    ] = False,
    credits_file: Annotated[
        Path | None, typer.Option("--credits", help="A text on whose music it learned from.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a trained system for others: its recipe without paths, its weights, and a card.

    Others play it by its name: `mousai-kit generate OWNER/NAME "..."`.
    """
    from mousai_kit.cli.publishing.folder import publish_to_folder
    from mousai_kit.cli.publishing.publisher import Publisher, Terms
    from mousai_kit.cli.publishing.upload import publish_to_hub
    from mousai_kit.core.console import Screen
    from mousai_kit.runs.resolve import resolve_run
    from mousai_kit.runs.weight_source import is_model

    terms = Terms.of(licence, credits_file)
    publisher = Publisher(*resolve_run(target, None), terms, half=half, screen=Screen())
    if is_model(to) and not Path(to).exists():
        where, files = publish_to_hub(publisher, to), list[Path]()
    else:
        files = publish_to_folder(publisher, Path(to).expanduser())
        where = to
    facts = {"to": where, "files": [str(file) for file in files]}
    print_result(facts, files or [where], as_json=as_json)
