"""Writing: all that is new or nothing, and never over what is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from mousai_kit.core.errors import RequestError
from mousai_kit.core.files import atomic_write


def write_folder(files: Mapping[str, str], target: Path) -> None:
    """Write texts by their places into a folder that is new or empty; RequestError."""
    with _told_of(target):
        new = not target.is_dir()
        if new:
            _check_new(target, "name a new folder with --into")
        elif next(target.iterdir(), None):
            raise RequestError.about(target, "is not empty; name a new folder with --into")
        with TemporaryDirectory(prefix=".new-", dir=target.parent if new else target) as scratch:
            made = Path(scratch, "made")
            for place, text in files.items():
                file = made / place
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
            if new:
                made.rename(target)
            else:  # somebody may stand in it: it stays, and is filled
                for path in sorted(made.iterdir()):
                    path.rename(target / path.name)


def add_files(files: Mapping[str, str], changed: Mapping[str, str], target: Path) -> None:
    """Write new files into a folder, over none, and others that are there anew; RequestError.

    Where one can't be written, all is as it was.
    """
    made: list[Path] = []
    with _told_of(target):
        try:
            for place, text in files.items():
                path = target / place
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("x", encoding="utf-8") as file:
                    made.append(path)
                    file.write(text)
            for place, text in changed.items():
                with atomic_write(target / place) as whole:
                    whole.write(text.encode())
        except BaseException:
            for path in made:
                path.unlink(missing_ok=True)
            raise


def write_file(text: str, target: Path) -> None:
    """Write a text into a new file; RequestError."""
    with _told_of(target):
        _check_new(target, "choose another name, or name another folder with --into")
        with TemporaryDirectory(prefix=".new-", dir=target.parent) as scratch:
            made = Path(scratch, "made")
            made.write_text(text, encoding="utf-8")
            made.rename(target)


@contextmanager
def _told_of(target: Path) -> Iterator[None]:
    """Tell what the system refuses in one line about the target."""
    try:
        yield
    except OSError as error:
        raise RequestError.about(target, f"can't be written: {error.strerror or error}") from None


def _check_new(target: Path, advice: str) -> None:
    """Raise RequestError where something has the name, or there is no folder to make it in."""
    if target.exists() or target.is_symlink():
        raise RequestError.about(target, f"is there already; {advice}")
    if not target.parent.is_dir():
        raise RequestError.about(target, f"can't be made: there is no folder '{target.parent}'")
