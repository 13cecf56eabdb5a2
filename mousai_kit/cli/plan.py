"""The command that looks ahead: plan."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from mousai_kit.cli.app import Json, Set, Source, app, print_json
from mousai_kit.core.errors import RequestError, format_value

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_UNITS |= {f"{unit}I": 2 ** (10 * power) for power, unit in enumerate("KMGT", 1)}


@app.command()
def plan(
    source: Source,
    overrides: Set = None,
    seconds: Annotated[
        float, typer.Option(help="About how long to measure, beside starting.", min=1)
    ] = 60.0,
    memory: Annotated[
        str | None,
        typer.Option(help="Plan for so much memory, as in 12GB; default: what is free here."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what training will take: memory and time, measured by a few steps, and what would fit."""
    from mousai_kit.cli import tables
    from mousai_kit.core.console import Screen
    from mousai_kit.runs.resolve import resolve_recipe
    from mousai_kit.training import planning

    recipe = resolve_recipe(source, overrides)
    room = None if memory is None else _bytes(memory)
    with Screen().doing() as report:
        facts = planning.plan_training(recipe, seconds=seconds, memory=room, report=report)
    print_json(facts) if as_json else tables.print_plan(facts)


def _bytes(text: str) -> int:
    """Return how many bytes a user means."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([KMGT]?I?)B?", text.strip().upper())
    if not found or found[2] not in _UNITS or not float(found[1]):
        raise RequestError(
            f"--memory: must be a size such as 12GB or 800MiB (got {format_value(text)})"
        )
    return round(float(found[1]) * _UNITS[found[2]])
