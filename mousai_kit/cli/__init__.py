"""The commands. Heavy imports live inside them, so that `--help` is quick."""

from __future__ import annotations

import os
import sys
import traceback
from io import TextIOWrapper
from typing import Any, NoReturn

import typer

from mousai_kit.cli import (  # noqa: F401 (they add their commands to the app)
    data,
    music,
    new,
    parts,
    plan,
    weights,
)
from mousai_kit.cli.app import INTERRUPTED, SIGNALLED, Interrupted, app
from mousai_kit.errors import MousaiError, one_line
from mousai_kit.ranks import Rank, RankError, heed_the_launcher, mine_to_tell, named

__all__ = ["app", "main"]

_MISUSE: type[Exception] = typer.BadParameter.__mro__[2]
"""Whatever typer raises for a command that was called wrongly: it exports no name for all of it."""


def main() -> None:
    """Run a command; a user's mistake is one line a problem and exit code 2, a bug 1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a file's name may be no text at all
            stream.reconfigure(errors="backslashreplace")
    if not Rank.here().alone:
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
        heed_the_launcher()
    try:
        code = app(prog_name="mousai-kit", standalone_mode=False)
    except RankError as error:
        _end(_lines(named(error)), 2)
    except MousaiError as error:
        _end(_lines(error), 2)
    except _MISUSE as error:
        _end(_misused(error), 2)
    except Interrupted as interrupted:
        _end(interrupted.told, interrupted.code)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except SystemExit as end:  # another signal's
        code = end.code
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _end(one_line(f"{place}{error.strerror or error}"), 2)
    except Exception as error:
        _end(_fault(error), 1)
    if isinstance(code, int) and code >= SIGNALLED:
        _end("interrupted", code)
    sys.exit(code)


def _lines(error: MousaiError) -> str:
    return "\n".join(one_line(str(problem)) for problem in error.problems)


def _misused(error: Any) -> str:
    """Return one line on a command that was called wrongly; none where help was printed."""
    command = error.ctx.command_path if getattr(error, "ctx", None) else "mousai-kit"
    line = " ".join(error.format_message().split()).removesuffix(".")
    if type(error).__name__ == "NoArgsIsHelpError":
        return ""
    see = "" if line.endswith("?") else f"; see `{command} --help`"
    return f"{command}: {line[0].lower()}{line[1:]}{see}"


def _fault(error: Exception) -> str:
    """Return a traceback, which an author needs, and a last line that says who that is."""
    from mousai_kit.plugins.blame import blame

    return "".join(traceback.format_exception(error)) + blame(error)


def _end(message: str, code: int) -> NoReturn:
    """End; of several processes that work together and end for one reason, one says which."""
    if message and mine_to_tell():
        typer.echo(message, err=True)
    sys.exit(code)
