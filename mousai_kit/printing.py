"""Printing: what `ls`, `show` and `plugins` look like in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mousai_kit.errors import one_line

if TYPE_CHECKING:  # what it imports may be what is broken
    from mousai_kit.inspection import Facts


def print_components(rows: list[Facts]) -> None:
    """Print components by kind."""
    _print_table(
        ("kind", "name", "what it is"), [(r["kind"], r["name"], r["summary"]) for r in rows]
    )


def print_component(facts: Facts) -> None:
    """Print a component's description and options."""
    console = Console()
    console.print(f"[bold]{facts['name']}[/bold] ({facts['kind']})\n")
    lines = facts["description"].split("\n")
    console.print(escape("\n".join(map(one_line, lines))) + "\n")
    if not facts["options"]:
        console.print("It has no options.")
        return
    rows = [
        (o["name"], o["type"], o["range"], o["default"], o["description"]) for o in facts["options"]
    ]
    _print_table(("option", "type", "range", "default", "meaning"), rows)


def print_recipe(facts: Facts) -> None:
    """Print a recipe's stages, from audio upwards."""
    console = Console()
    channels = facts["channels"]
    audio = f"{facts['sample_rate']} Hz, {channels} channel{'' if channels == 1 else 's'}"
    size = f"{_millions(facts['parameters'])} parameters"
    console.print(f"[bold]{escape(facts['name'])}[/bold]  {audio}, {size}, hash {facts['hash']}\n")
    for stage in facts["stages"]:
        latent, memory = stage["latent"], stage["training_bytes"]
        rows = [("parameters", _millions(stage["parameters"]))]
        rows += [(f"  {part}", _millions(count)) for part, count in stage["parts"].items()]
        if latent is not None:
            shape = f"{latent['channels']} x T/{latent['samples_per_frame']}"
            crop = " x ".join(map(str, latent["crop"]))
            rows.append(
                ("latent", f"{shape} ({latent['frames_per_second']:g} frames/s; a crop: {crop})")
            )
        rows.append(
            (
                "crop",
                f"{stage['seconds_per_crop']:g} s, {stage['batch']} a step, {stage['steps']} steps",
            )
        )
        told = "unknown" if memory is None else f"about {memory / 2**30:.1f} GiB (fp32)"
        rows.append(("memory to train", told))
        _print_table((stage["name"], stage["use"]), rows)


def print_plan(facts: Facts) -> None:
    """Print what a recipe's training takes, and what would make it fit."""
    from mousai_kit.planning import telling

    console = Console(highlight=False)
    above, below = telling.summary(facts)
    console.print(f"[bold]{escape(facts['name'])}[/bold]  {escape(above)}\n", soft_wrap=True)
    for stage in facts["stages"]:
        _print_table((stage["name"], stage["use"]), telling.rows(stage))
        _print_lines("what would make it fit", "green", telling.offers(stage))
        _print_lines("to be noted", "yellow", telling.notes(stage))
    console.print(f"\n{below}")


def print_plugins(rows: list[Facts]) -> None:
    """Print plug-ins with their components, then what is wrong with any, a line each."""
    console = Console(highlight=False)
    for row in rows:
        if row["components"]:
            package = escape(one_line(f"{row['package']} {row['version']}"))
            console.print(f"[bold]{escape(one_line(row['name']))}[/bold]  {package}")
        for offered in row["components"]:
            console.print(f"  {escape(one_line(offered))}")
    if not rows:
        console.print("no plug-in is installed")
    broken = [row for row in rows if not row["switched_off"]]
    off = [row for row in rows if row["switched_off"]]
    _print_lines("left out", "red", [it["told"] for row in broken for it in row["faults"]])
    _print_lines("switched off", "yellow", [it["told"] for row in off for it in row["faults"]])
    _print_lines("to be noted", "yellow", [it["told"] for row in rows for it in row["notes"]])


def print_findings(rows: list[Facts]) -> None:
    """Print the doctor's findings, what to do below each, and their sum."""
    console = Console(highlight=False)
    colours = {"ok": "green", "note": "yellow", "wrong": "bold red"}
    for row in rows:
        state = f"[{colours[row['state']]}]{row['state']:5}[/]"
        told = escape(one_line(row["told"]))
        console.print(f"{state}  {row['subject']:10}  {told}", soft_wrap=True)
        if row["mend"]:
            console.print(f"{'':19}-> {escape(row['mend'])}", soft_wrap=True)
    count = sum(row["state"] == "wrong" for row in rows)
    total = {0: "nothing is wrong", 1: "1 thing is wrong"}.get(count, f"{count} things are wrong")
    console.print(f"\n{total}")


def _print_lines(title: str, colour: str, lines: list[str]) -> None:
    """Print a paragraph of lines, if there are any, that no terminal's width breaks."""
    console = Console(highlight=False)
    if lines:
        console.print(f"\n[{colour}]{title}[/{colour}]")
    for line in lines:
        console.print(f"  {escape(one_line(line))}", soft_wrap=True)


def _print_table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for title in head:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(escape(one_line(str(cell))) for cell in row))
    console = Console()
    console.print(table)
    console.print()


def _millions(count: int) -> str:
    return f"{count / 1e6:,.3f} M"
