"""Commands that bring weights of other projects in, and take ours out: import, export."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mousai_kit.cli.app import Json, Set, Target, app, print_json


@app.command("import")
def bring_in(
    form: Annotated[
        str, typer.Argument(metavar="FORMAT", help="Whose names they have, such as archinet.")
    ],
    source: Annotated[
        str, typer.Argument(help="A file, a folder, or a model on the Hugging Face hub.")
    ],
    stage: Annotated[str, typer.Option(help="The stage that they are for.")],
    into: Annotated[
        Path | None, typer.Option(help="Folder of the run; default: runs/<recipe's name>.")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help="The recipe of a new run; default: mousai-64x.")
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Commit of a model on the hub.")] = None,
    file: Annotated[
        str | None, typer.Option(help="The file of weights in a folder or a model.")
    ] = None,
    overrides: Set = None,
    as_json: Json = False,
) -> None:
    """Bring another project's weights in as a trained stage of a run."""
    from mousai_kit.exchange.importing import Importer, told
    from mousai_kit.exchange.source import Source
    from mousai_kit.targets import import_target

    importer = Importer(form, *import_target(recipe, into, overrides), stage=stage)
    imported = importer.take(Source.find(source, file=file, revision=revision))
    if as_json:
        print_json(asdict(imported))
    else:
        typer.echo("\n".join([*told(imported), imported.weights]))


@app.command("export")
def take_out(
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
    from mousai_kit.exchange.exporting import Exporter
    from mousai_kit.targets import run_of

    recipe, folder = run_of(target, overrides)
    where = out or folder.path / "export"
    files = Exporter(recipe, folder, form=form, stage=stage, out=where).write()
    if as_json:
        print_json([str(file) for file in files])
    else:
        typer.echo("\n".join(map(str, files)))
