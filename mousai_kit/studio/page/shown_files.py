"""Shown files: what lies where the page may not read, beside what it may; pictures with a text."""

from __future__ import annotations

import html
import shutil
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from gradio.utils import get_upload_folder


def show_file(path: Path) -> str:
    """Return a copy of a file, as it is now, from where the page shows files."""
    stands = f"{path.resolve()} {path.stat().st_mtime_ns}"
    folder = Path(get_upload_folder(), sha256(stands.encode()).hexdigest()[:32])
    copy = folder / path.name
    if not copy.exists():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    return str(copy)


def picture_html(path: Path, text: str) -> str:
    """Return a picture as HTML, with the text for those who do not see it."""
    source = html.escape(quote(f"gradio_api/file={show_file(path)}", safe="/="), quote=True)
    return f'<img class="studio-picture" src="{source}" alt="{html.escape(text, quote=True)}">'
