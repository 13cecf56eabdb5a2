"""Shown files: what lies where the page may not read, beside what it may."""

from __future__ import annotations

import shutil
from hashlib import sha256
from pathlib import Path

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
