"""Table: a library's facts in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mousai_kit.errors import one_line
from mousai_kit.library.summary import NOTES, PROBLEMS

LISTED = 5
"""Names given of each problem; `--json` has all."""
COUNTED = 6
"""Values given of what is counted."""


def print_library(facts: Mapping[str, Any]) -> None:
    """Print a library's figures, then a line for each thing that is wrong, with a few names."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for name, value in _rows(facts):
        table.add_row(name, escape(one_line(value)))
    console = Console(highlight=False)
    console.print(table)
    for key, told in PROBLEMS.items():
        _print_names(console, f"[bold red]{told}[/]", facts[key])
    for key, told in NOTES.items():
        _print_names(console, f"[yellow]{told}[/]", facts[key])
    if not any(facts[key] for key in PROBLEMS):
        console.print("\nnothing is wrong")


def _rows(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what the table says, figure by figure."""
    splits = ", ".join(f"{count:,} {split}" for split, count in facts["splits"].items())
    yield "tracks" if facts["whole_tracks"] else "clips", f"{facts['pieces']:,} ({splits})"
    yield "hours", f"{facts['hours']:,.2f}"
    yield "seconds", _told(facts["seconds"], "{:.1f}")
    if "loudness" in facts:
        for key, name in (
            ("sample_rates", "Hz"),
            ("channels", "channels"),
            ("encodings", "formats"),
        ):
            if facts[key]:
                yield name, _counts(facts[key])
        yield "LUFS", _told(facts["loudness"], "{:.1f}")
        yield "peak", _told(facts["peak"], "{:.3f}")
        yield "silence", f"{facts['silence']:.2%} of the time"
    yield "licences", _counts(facts["licences"])


def _told(spread: Mapping[str, float] | None, form: str) -> str:
    if spread is None:
        return "-"
    low, middle, high = (form.format(spread[key]) for key in ("min", "median", "max"))
    return f"{low} to {high}, half under {middle}"


def _counts(counts: Mapping[str, int]) -> str:
    told = [f"{count:,} x {value}" for value, count in list(counts.items())[:COUNTED]]
    more = len(counts) - COUNTED
    return ", ".join([*told, *([f"{more} more"] if more > 0 else [])])


def _print_names(console: Console, told: str, names: list[Any]) -> None:
    if not names:
        return
    console.print(f"\n{told}: {len(names):,}")
    for name in names[:LISTED]:
        line = name if isinstance(name, str) else "  =  ".join(name)
        console.print(f"  {escape(one_line(line))}", soft_wrap=True)
    if len(names) > LISTED:
        console.print(f"  and {len(names) - LISTED:,} more (--json has all)")
