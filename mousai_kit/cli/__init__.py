"""The commands. Heavy imports live inside them, so that `--help` is quick."""

from __future__ import annotations

import os
import sys
import traceback
from dataclasses import replace
from io import TextIOWrapper
from typing import Any, NoReturn

import typer

from mousai_kit.cli import (  # noqa: F401 (they add their commands to the app)
    compare,
    data,
    generate,
    inspect,
    new,
    plan,
    studio,
    weights,
)
from mousai_kit.cli.app import INTERRUPTED, SIGNALLED, Interrupted, app
from mousai_kit.core.errors import (
    Argument,
    MousaiError,
    Problem,
    did_you_mean,
    escape_control_chars,
)
from mousai_kit.distributed import (
    Rank,
    RankError,
    install_sigterm_handler,
    name_failed_ranks,
    should_report,
)

__all__ = ["app", "main"]

_OPTIONS = {
    "adapters": "adapter",
    "source": "from",
    "ranges": "range",
    "extend": "continue",
}
"""Options that are called otherwise than Python's arguments."""
_MISUSE: type[Exception] = typer.BadParameter.__mro__[2]
"""Whatever typer raises for a command that was called wrongly: it exports no name for all of it."""


def main() -> None:
    """Run a command; a user's mistake is one line a problem and exit code 2, a bug 1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a file's name may be no text at all
            stream.reconfigure(errors="backslashreplace")
    if not Rank.here().alone:
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
        install_sigterm_handler()
    try:
        code = app(prog_name="mousai-kit", standalone_mode=False)
    except RankError as error:
        _end(_lines(name_failed_ranks(error)), 2)
    except MousaiError as error:
        _end(_lines(error), 2)
    except _MISUSE as error:
        _end(_usage_error(error), 2)
    except Interrupted as interrupted:
        _end(*interrupted.args)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except SystemExit as end:  # another signal's
        code = end.code
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _end(escape_control_chars(f"{place}{error.strerror or error}"), 2)
    except Exception as error:
        _end(_fault(error), 1)
    if isinstance(code, int) and code >= SIGNALLED:
        _end("interrupted", code)
    sys.exit(code)


def _lines(error: MousaiError) -> str:
    return "\n".join(escape_control_chars(_line(problem)) for problem in error.problems)


def _line(problem: Problem) -> str:
    """Return a problem as the command line tells it: of an argument, by its option."""
    if not isinstance(argument := problem.origin, Argument):
        return str(problem)
    name = _OPTIONS.get(argument.name, argument.name.replace("_", "-"))
    option = f"--{name}"
    return str(replace(problem, origin=f"{option} {argument.value}".rstrip()))


def _usage_error(error: Any) -> str:
    """Return one line on a command that was called wrongly; none where help was printed."""
    command = error.ctx.command_path if getattr(error, "ctx", None) else "mousai-kit"
    line = " ".join(error.format_message().split()).removesuffix(".")
    if type(error).__name__ == "NoArgsIsHelpError":
        return ""
    if name := getattr(error, "option_name", "") if type(error).__name__ == "NoSuchOption" else "":
        return f"{command}: no such option: {name}{_option_hint(name, command, error.ctx)}"
    see = "" if line.endswith("?") else f"; see `{command} --help`"
    return f"{command}: {line[0].lower()}{line[1:]}{see}"


def _option_hint(name: str, command: str, context: Any) -> str:
    """Return what an option that a command lacks may be meant to be, or where to find it."""
    known = [word for param in context.command.params for word in param.opts] if context else []
    by_set = "values of a recipe are changed with --set PATH=VALUE, " if "--set" in known else ""
    return did_you_mean(name, known) or f"; {by_set}see `{command} --help`"


def _fault(error: Exception) -> str:
    """Return a traceback, which an author needs, and a last line that says who that is."""
    from mousai_kit.core.plugins.messages import attribute_error

    return "".join(traceback.format_exception(error)) + attribute_error(error)


def _end(message: str, code: int) -> NoReturn:
    """End; of several processes that work together and end for one reason, one says which."""
    if message and should_report():
        typer.echo(message, err=True)
    sys.exit(code)
