"""Facts in a terminal: what `ls`, `show`, `plugins`, `doctor`, `data check` and `plan` print."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mousai_kit.core.errors import escape_control_chars
from mousai_kit.runs.model_card import leave_out_sections

if TYPE_CHECKING:
    from mousai_kit.cli.describe import Facts

TO_NOTE = "[yellow]to be noted[/]"


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
    console.print(escape("\n".join(map(escape_control_chars, lines))) + "\n")
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
            told = f"{shape} ({latent['frames_per_second']:g} frames/s; a crop: {crop})"
            rows.append(("latent", told))
        crop = f"{stage['seconds_per_crop']:g} s, {stage['batch']} a step, {stage['steps']} steps"
        told = "unknown" if memory is None else f"about {memory / 2**30:.1f} GiB (fp32)"
        rows += [("crop", crop), ("memory to train", told)]
        _print_table((stage["name"], stage["use"]), rows)


SUMMED_UP = ("What it is", "How it was trained", "What was measured")
"""Sections of a card that only `--details` shows: the table of stages is a summary of the first."""
SOME_WORDS = 20
"""Words that are shown without `--details`."""


def print_system(facts: Facts, *, details: bool = True) -> None:
    """Print a trained system's card, if it has one, its parameters, and the words it knows.

    Without `details`, the card's sections on training and figures are left out, and most words.
    """
    console = Console(highlight=False)
    whole = facts["card"] or ""
    card = whole if details else leave_out_sections(whole, SUMMED_UP)
    if whole:
        lines = card.splitlines()
        console.print(escape("\n".join(map(escape_control_chars, lines))) + "\n", soft_wrap=True)
    print_recipe(facts)
    names = [stage["name"] for stage in facts["stages"]]
    if untrained := [name for name in names if name not in facts["trained"]]:
        console.print(f"not trained: {', '.join(untrained)}")
    for name, changes in facts["changes"].items():
        for told in changes:
            console.print(f"{name}: {escape(told)}", soft_wrap=True)
    words = facts["words"] or []
    shown = words if details else words[:SOME_WORDS]
    if words:
        more = f" and {len(words) - len(shown)} more" if len(words) > len(shown) else ""
        told = escape(escape_control_chars(", ".join(shown)))
        console.print(f"knows {len(words)} words, the most frequent first: {told}{more}")
    if (card, shown) != (whole, words):
        console.print("\nthere is more, on training, figures and words, with --details")


def print_plan(facts: Facts) -> None:
    """Print what a recipe's training takes, and what would make it fit."""
    console = Console(highlight=False)
    above, below = summary_table(facts)
    console.print(f"[bold]{escape(facts['name'])}[/bold]  {escape(above)}\n", soft_wrap=True)
    for stage in facts["stages"]:
        _print_table((stage["name"], stage["use"]), rows(stage))
        _print_lines("[green]what would make it fit[/]", offers(stage))
        _print_lines(TO_NOTE, notes(stage))
    for name in facts["taken"]:
        console.print(f"{name}: takes given weights as they are, and learns nothing")
    console.print(f"\n{below}")


def print_plugins(rows: list[Facts]) -> None:
    """Print plug-ins with their components, then what is wrong with any, a line each."""
    console = Console(highlight=False)
    for row in rows:
        if row["components"]:
            package = escape(escape_control_chars(f"{row['package']} {row['version']}"))
            console.print(f"[bold]{escape(escape_control_chars(row['name']))}[/bold]  {package}")
        for offered in row["components"]:
            console.print(f"  {escape(escape_control_chars(offered))}")
    if not rows:
        console.print("no plug-in is installed")
    faults = [(row["switched_off"], fault["told"]) for row in rows for fault in row["faults"]]
    _print_lines("[red]left out[/]", [told for off, told in faults if not off])
    _print_lines("[yellow]switched off[/]", [told for off, told in faults if off])
    _print_lines(TO_NOTE, [note["told"] for row in rows for note in row["notes"]])


def print_diagnostics(rows: list[Facts]) -> None:
    """Print the doctor's findings, what to do below each, and their sum."""
    console = Console(highlight=False)
    colours = {"ok": "green", "note": "yellow", "wrong": "bold red"}
    for row in rows:
        state = f"[{colours[row['state']]}]{row['state']:5}[/]"
        told = escape(escape_control_chars(row["message"]))
        console.print(f"{state}  {row['subject']:10}  {told}", soft_wrap=True)
        if row["fix"]:
            console.print(f"{'':19}-> {escape(row['fix'])}", soft_wrap=True)
    count = sum(row["state"] == "wrong" for row in rows)
    total = {0: "nothing is wrong", 1: "1 thing is wrong"}.get(count, f"{count} things are wrong")
    console.print(f"\n{total}")


def _print_lines(title: str, lines: list[str]) -> None:
    """Print a paragraph of lines, if there are any, that no terminal's width breaks."""
    console = Console(highlight=False)
    if lines:
        console.print(f"\n{title}")
    for line in lines:
        console.print(f"  {escape(escape_control_chars(line))}", soft_wrap=True)


def _print_table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for title in head:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(escape(escape_control_chars(str(cell))) for cell in row))
    console = Console()
    console.print(table)
    console.print()


def _millions(count: int) -> str:
    return f"{count / 1e6:,.3f} M"


LISTED = 5
"""Names given of each problem; `--json` has all."""
COUNTED = 6
"""Values given of what is counted."""


def print_analysis(facts: Mapping[str, Any]) -> None:
    """Print a library's figures, then a line for each thing that is wrong, with a few names."""
    from mousai_kit.data.analysis import NOTES, PROBLEMS

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for name, value in _rows(facts):
        table.add_row(name, escape(escape_control_chars(value)))
    console = Console(highlight=False)
    console.print(table)
    for colour, kinds in (("bold red", PROBLEMS), ("yellow", NOTES)):
        for key, told in kinds.items():
            _print_lines(f"[{colour}]{told}[/]: {len(facts[key]):,}", _some_names(facts[key]))
    if not any(facts[key] for key in PROBLEMS):
        console.print("\nnothing is wrong")


def _rows(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what the table says, figure by figure."""
    splits = ", ".join(f"{count:,} {split}" for split, count in facts["splits"].items())
    yield "tracks" if facts["whole_tracks"] else "clips", f"{facts['pieces']:,} ({splits})"
    yield "hours", f"{facts['hours']:,.2f}"
    yield "seconds", _spread_text(facts["seconds"], "{:.1f}")
    if "loudness" in facts:
        names = {"sample_rates": "Hz", "channels": "channels", "encodings": "formats"}
        for key, name in names.items():
            if facts[key]:
                yield name, _counts(facts[key])
        yield "LUFS", _spread_text(facts["loudness"], "{:.1f}")
        yield "peak", _spread_text(facts["peak"], "{:.3f}")
        yield "silence", f"{facts['silence']:.2%} of the time"
    yield "licences", _counts(facts["licences"])


def _spread_text(spread: Mapping[str, float] | None, form: str) -> str:
    if spread is None:
        return "-"
    low, middle, high = (form.format(spread[key]) for key in ("min", "median", "max"))
    return f"{low} to {high}, half under {middle}"


def _counts(counts: Mapping[str, int]) -> str:
    told = [f"{count:,} x {value}" for value, count in list(counts.items())[:COUNTED]]
    more = len(counts) - COUNTED
    return ", ".join([*told, *([f"{more} more"] if more > 0 else [])])


def _some_names(names: list[Any]) -> list[str]:
    """Return a line for each of the first names, or groups of names, and one on the others."""
    lines = [name if isinstance(name, str) else "  =  ".join(name) for name in names[:LISTED]]
    more = len(names) - LISTED
    return [*lines, f"and {more:,} more (--json has all)"] if more > 0 else lines


Row = tuple[str, str]
_SIZES = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))
_TIMES = (("days", 86400), ("h", 3600), ("min", 60), ("s", 1))


def size(count: float | None) -> str:
    """Return bytes as `1.5 GiB`."""
    if count is None:
        return "unknown"
    unit, factor = next((item for item in _SIZES if count >= item[1]), _SIZES[-1])
    return f"{count / factor:,.1f} {unit}"


def duration(seconds: float | None) -> str:
    """Return seconds as `1.5 h`."""
    if seconds is None:
        return "unknown"
    unit, factor = next((item for item in _TIMES if seconds >= 2 * item[1]), _TIMES[-1])
    return f"{seconds / factor:,.3g} {unit}"


def summary_table(plan: Facts) -> list[str]:
    """Return the lines that stand above the stages and below them."""
    free, usable = size(plan["free_bytes"]), size(plan["usable_bytes"])
    ends = "how long training takes is not known"
    if plan["seconds"] is not None:
        ends = f"all stages, one after the other: about {duration(plan['seconds'])}"
    return [f"{plan['device']}, {free} of memory free, {usable} of it to use", ends]


def rows(stage: Facts) -> list[Row]:
    """Return what a stage's training takes."""
    told = [
        ("parameters", _parameters(stage["parameters"])),
        ("held throughout", _state_text(stage)),
    ]
    for sample in stage["measured"]:
        taken = f"{size(sample['bytes'])}, {duration(sample['seconds'])} (measured)"
        told.append((f"a step of {sample['batch']}", taken))
    fits = {True: "yes", False: "no", None: "unknown"}[stage["fits"]]
    told += [(_batch(stage["train"]), _step(stage["step"])), ("fits", fits)]
    told += [("data", _data(stage["data"])), ("the run", _run_text(stage))]
    if stage["latents"]:
        told.append(("latents", _latents(stage["latents"])))
    weights, checkpoint = (size(stage["disk"][file]) for file in ("weights", "checkpoint"))
    return [*told, ("on the disk", f"weights {weights}, checkpoint {checkpoint}")]


def offers(stage: Facts) -> list[str]:
    """Return what would make a stage fit, a line each: arguments, then what a step takes."""
    return [
        f"{' '.join(f'--set {change}' for change in offer['set'])}   about {_step(offer)}"
        for offer in stage["advice"]
    ]


def notes(stage: Facts) -> list[str]:
    """Return what else is to be said of a stage, a line each."""
    told = list(stage["notes"])
    if stage["step"]["stopped"]:
        told.append(f"measured no further: {stage['step']['stopped']}")
    if stage["data"]["fault"]:
        told.append(f"the data can't be counted: {stage['data']['fault']}")
    if stage["fits"] is False and not stage["advice"]:
        told.append(
            "nothing that training can be told makes it fit: it needs a smaller network, a larger "
            "machine or several devices"
        )
    return [f"{stage['name']}: {line}" for line in told]


def _parameters(counts: Facts) -> str:
    frozen = f", {_millions(counts['frozen'])} frozen" if counts["frozen"] else ""
    return f"{_millions(counts['learned'])} learned{frozen}"


def _state_text(stage: Facts) -> str:
    state = stage["state"]
    parts = ", ".join(f"{name} {size(count)}" for name, count in state.items())
    return f"{size(sum(state.values()))}: {parts}"


def _batch(train: Facts) -> str:
    parts = f" in {train['accumulate']} parts" if train["accumulate"] > 1 else ""
    return f"batch {train['batch']}{parts}"


def _step(step: Facts) -> str:
    if step["bytes"] is None:
        return "unknown"
    time = "" if step["seconds"] is None else f", {duration(step['seconds'])} a step"
    return f"{size(step['bytes'])}{time} ({'measured' if step['measured'] else 'estimated'})"


def _data(data: Facts) -> str:
    if data["clips"] is None:
        return "unknown"
    epochs = "" if data["epochs"] is None else f", each learned from {data['epochs']:,g} times"
    return f"{data['clips']:,} clips{epochs}"


def _run_text(stage: Facts) -> str:
    run = stage["run"]
    if run["seconds"] is None:
        least = stage["step"]["longer_than"]
        longer = least and f" in more than {duration(run['steps'] * least)}"
        return f"{run['steps']:,} steps{longer or ', how long is unknown'}"
    ends = {"minutes": ", ended by `minutes`", "steps": "", "unknown": " at most"}[run["ends"]]
    steps = "" if run["steps"] is None else f"{run['steps']:,} steps in "
    return f"{steps}{duration(run['seconds'])}{ends}"


def _latents(latents: Facts) -> str:
    if latents["crops"] is None:
        return "unknown"
    time = f", encoded in {duration(latents['seconds'])}" if latents["seconds"] else ""
    return f"{latents['crops']:,} crops, {size(latents['bytes'])} on the disk{time}"
