"""Commands that look at what is here: validate, ls, show, plugins, doctor, cp, schema."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mousai_kit.cli.app import Json, Set, Source, app, print_json
from mousai_kit.errors import MousaiError


@app.command()
def validate(source: Source, overrides: Set = None, as_json: Json = False) -> None:
    """Check a recipe, all of it, and that its parts fit together."""
    from mousai_kit.cascade import Cascade
    from mousai_kit.targets import recipe_of
    from mousai_kit.tuning.starting import check

    try:
        recipe = recipe_of(source, overrides)
        check(recipe, Cascade.build(recipe, device="meta"))
    except MousaiError as error:
        if not as_json:
            raise
        print_json({"valid": False, "problems": [str(problem) for problem in error.problems]})
        raise typer.Exit(2) from None
    if as_json:
        print_json({"valid": True, "name": recipe.name, "hash": recipe.hash})
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
        print_json(rows)
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
        print_json(facts) if as_json else printing.print_component(facts)
    else:
        facts = inspection.recipe_facts(recipe_of(what, overrides))
        print_json(facts) if as_json else printing.print_recipe(facts)


@app.command()
def plugins(as_json: Json = False) -> None:
    """List the installed plug-ins: what they offer, or why one was left out."""
    from mousai_kit import inspection, printing

    rows = inspection.plugins()
    if as_json:
        print_json(rows)
    else:
        printing.print_plugins(rows)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check this installation (torch, device, audio, disk, hub, plug-ins); say how to mend it."""
    from dataclasses import asdict

    from mousai_kit import printing
    from mousai_kit.doctor import examine

    findings = [asdict(finding) for finding in examine()]
    if as_json:
        print_json(findings)
    else:
        printing.print_findings(findings)
    raise typer.Exit(int(any(it["state"] == "wrong" for it in findings)))


@app.command()
def cp(
    name: Annotated[str, typer.Argument(help="A shipped recipe, such as mousai.")],
    target: Annotated[Path | None, typer.Argument(help="The file to write.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Copy a shipped recipe to edit, with the schema by which editors check it beside."""
    from mousai_kit.editors import FILE, check_schema, point_to_schema
    from mousai_kit.errors import Problem, RequestError
    from mousai_kit.recipe import copy_shipped, copy_target

    where = copy_target(name, target, force=force)
    if where.name == FILE:
        raise RequestError(Problem(str(where), "", "is the schema's name; name another file"))
    check_schema(where.with_name(FILE))
    copied = copy_shipped(name, target, force=force)
    point_to_schema(copied)
    typer.echo(str(copied))


@app.command()
def schema(
    out: Annotated[Path | None, typer.Option(help="The file to write.")] = None,
) -> None:
    """Print a JSON Schema of recipes made of all installed components, for editors."""
    from mousai_kit import editors
    from mousai_kit.plugins import installed

    if out:
        typer.echo(str(editors.write_schema(out)))
    else:
        typer.echo(editors.schema_text(installed()), nl=False)
