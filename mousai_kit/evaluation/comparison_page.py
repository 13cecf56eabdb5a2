"""The page of a comparison: HTML that opens without a server, with players and mel pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from mousai_kit.evaluation.comparison import Comparison, fact_rows, score_rows

STYLE = """
:root { color-scheme: light dark; --line: #8885; --soft: #8882; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 96rem; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2.5rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .8rem .35rem 0; text-align: left;
  vertical-align: top }
thead th { border-bottom-width: 2px }
td { font-variant-numeric: tabular-nums }
.clips td { min-width: 18rem; padding-right: 1rem } .clips th[scope=row] { max-width: 14rem }
audio { width: 100%; height: 2.2rem } img { max-width: 100%; height: auto }
.clips img { background: #fff; border-radius: .3rem }
small { opacity: .75 }
"""


def render_page(found: Comparison, folder: Path, pictures: Mapping[str, str]) -> str:
    """Return the page of a comparison in `folder`; `pictures` are files by title."""
    names = [system.name for system in found.systems]
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(' and '.join(names))}, compared</title>",
        f"<style>{STYLE}</style>\n</head>\n<body>",
        f"<h1>{escape(', '.join(names))}, compared</h1>",
        (
            f"<p>{len(found.asked)} clips of {found.seconds:g} s of each system, from the same "
            f"prompts and seeds. Real music: {found.real['train']} clips to learn from, "
            f"{found.real['validation']} held out.</p>"
        ),
        "<h2>Figures</h2>",
        _table(names, score_rows(found)),
        "<h2>Systems</h2>",
        _table(names, fact_rows(found)),
        *(_picture(title, file) for title, file in pictures.items()),
        "<h2>Clips</h2>",
        _clips(found, folder),
        "</body>\n</html>\n",
    ]
    return "\n".join(parts)


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table with a column for each system."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in ("", *names))
    body = "\n".join(
        f'<tr><th scope="row">{escape(first)}</th>'
        + "".join(f"<td>{_cell(text)}</td>" for text in cells)
        + "</tr>"
        for first, *cells in rows
    )
    return (
        f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n'
        "</tbody></table></div>"
    )


def _cell(text: str) -> str:
    """Return a cell, what stands in brackets below the rest and small."""
    first, bracket, rest = text.partition(" (")
    return f"{escape(first)}<br><small>({escape(rest)}</small>" if bracket else escape(text)


def _picture(title: str, file: str) -> str:
    return f'<h2>{escape(title)}</h2>\n<img src="{quote(file)}" alt="{escape(title)}">'


def _clips(found: Comparison, folder: Path) -> str:
    """Return a row for each prompt and seed, a player and a mel picture for each system."""
    head = "".join(f'<th scope="col">{escape(system.name)}</th>' for system in found.systems)
    rows = []
    for number, asked in enumerate(found.asked):
        genre = f"{escape(asked.genre)}, " if asked.genre else ""
        row = f'<th scope="row">{escape(asked.prompt)}<br><small>{genre}seed {asked.seed}</small>'
        cells = "".join(
            f"<td>{_player(system.files[number], folder, f'{system.name}: {asked.prompt}')}</td>"
            for system in found.systems
        )
        rows.append(f"<tr>{row}</th>{cells}</tr>")
    return (
        '<div class="wide"><table class="clips">\n'
        f'<thead><tr><th scope="col">prompt</th>{head}</tr></thead>\n'
        "<tbody>\n" + "\n".join(rows) + "\n</tbody></table></div>"
    )


def _player(path: Path | None, folder: Path, title: str) -> str:
    """Return a player of a file, and its mel picture."""
    if path is None:
        return "<small>silent</small>"
    sound, mel = (
        quote(file.relative_to(folder).as_posix()) for file in (path, path.with_suffix(".png"))
    )
    label = escape(title, quote=True)
    return (
        f'<audio controls preload="none" src="{sound}" aria-label="{label}"></audio>'
        f'<img loading="lazy" src="{mel}" alt="mel spectrogram of {label}">'
    )
