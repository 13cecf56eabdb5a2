"""Commands that look at what is here: validate, ls, show, plugins, doctor, cp, schema."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mousai_kit.cli.app import (
    Json,
    Set,
    Source,
    app,
    busy,
    no_garbage_collection,
    print_json,
    print_result,
    starting,
)
from mousai_kit.core.errors import MousaiError


@app.command()
@no_garbage_collection()
def validate(source: Source, overrides: Set = None, as_json: Json = False) -> None:
    """Check a recipe, all of it, and that its parts fit together."""
    with starting():
        from mousai_kit.core.console import Screen
        from mousai_kit.core.plugins import installed_registry
        from mousai_kit.models.cascade import Cascade
        from mousai_kit.recipe.paths import paths_in
        from mousai_kit.runs.resolve import resolve_recipe
        from mousai_kit.training.checks import check_run

        installed_registry()
    try:
        recipe = resolve_recipe(source, overrides)
        with Screen().busy("trying shapes"):
            notes = check_run(recipe, Cascade.build(recipe, device="meta"))
    except MousaiError as error:
        if not as_json:
            raise
        print_json({"valid": False, "problems": [str(problem) for problem in error.problems]})
        raise typer.Exit(2) from None
    facts = {"valid": True, "name": recipe.name, "hash": recipe.hash, "notes": notes}
    lines = [f"{source}: valid ({recipe.name}, {recipe.hash})"]
    lines += [f"data.{option}: {path}" for option, path in paths_in(recipe.data).items()]
    print_result(facts, lines + notes, as_json=as_json)


@app.command()
def ls(
    kind: Annotated[str | None, typer.Argument(help="A kind, such as sampler.")] = None,
    as_json: Json = False,
) -> None:
    """List the installed components, the shipped recipes and the trained systems of packages."""
    from mousai_kit.cli import describe, tables

    rows = describe.list_components(kind)
    print_json(rows) if as_json else tables.print_components(rows)


@app.command()
@no_garbage_collection()
def show(
    what: Annotated[
        str,
        typer.Argument(help="A recipe, a component (kind/name), a run folder, a trained system."),
    ],
    overrides: Set = None,
    details: Annotated[
        bool, typer.Option("--details", help="Of a trained system: its whole card, and all words.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Describe a recipe (stages, parameters, memory), a component (options), a trained system."""
    with starting():
        from mousai_kit.cli import describe, tables
        from mousai_kit.core.plugins import installed_registry
        from mousai_kit.runs.resolve import is_system, resolve_recipe, resolve_run

        installed_registry()
    if (found := describe.find_component(what)) is not None:
        facts = describe.component_facts(found)
        print_json(facts) if as_json else tables.print_component(facts)
    elif is_system(what.removeprefix("trained/")):
        system = resolve_run(what.removeprefix("trained/"), overrides)
        with busy(f"looking at {what}"):
            facts = describe.system_facts(*system)
        print_json(facts) if as_json else tables.print_system(facts, details=details)
    else:
        recipe = resolve_recipe(what, overrides)
        with busy(f"looking at {what}"):
            facts = describe.describe_recipe(recipe)
        print_json(facts) if as_json else tables.print_recipe(facts)


@app.command()
def plugins(as_json: Json = False) -> None:
    """List the installed plug-ins: what they offer, or why one was left out."""
    from mousai_kit.cli import describe, tables

    rows = describe.plugin_facts()
    print_json(rows) if as_json else tables.print_plugins(rows)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check this installation (torch, device, audio, disk, hub, plug-ins); say how to mend it."""
    from mousai_kit.cli import tables
    from mousai_kit.cli.doctor import run_checks

    findings = [asdict(finding) for finding in run_checks()]
    print_json(findings) if as_json else tables.print_diagnostics(findings)
    raise typer.Exit(int(any(item["state"] == "wrong" for item in findings)))


@app.command()
def cp(
    name: Annotated[str, typer.Argument(help="A shipped recipe, such as mousai.")],
    target: Annotated[Path | None, typer.Argument(help="The file to write.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Copy a shipped recipe to edit, with the schema by which editors check it beside."""
    from mousai_kit.core.errors import RequestError
    from mousai_kit.recipe import copy_destination, copy_shipped
    from mousai_kit.recipe.json_schema import FILE, add_schema_comment, check_schema

    where = copy_destination(name, target, force=force)
    if where.name == FILE:
        raise RequestError.about(where, "is the schema's name; name another file")
    check_schema(where.with_name(FILE))
    copied = copy_shipped(name, target, force=force)
    add_schema_comment(copied)
    typer.echo(str(copied))


@app.command()
def schema(
    out: Annotated[Path | None, typer.Option(help="The file to write.")] = None,
) -> None:
    """Print a JSON Schema of recipes made of all installed components, for editors."""
    from mousai_kit.core.plugins import installed_registry
    from mousai_kit.recipe import json_schema

    if out:
        typer.echo(str(json_schema.write_schema(out)))
    else:
        typer.echo(json_schema.schema_text(installed_registry()), nl=False)
