"""Errors on the page: a user's mistake is told in its lines, and is never read as HTML."""

from __future__ import annotations

import html
import inspect
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

import gradio as gr

from mousai_kit.core.errors import MousaiError, Problem, escape_control_chars

FAILED = "the studio failed; see its output"
"""What is told of an error that nobody foresaw."""


def tell_errors(function: Callable[..., Any], *, escape: bool = True) -> Callable[..., Any]:
    """Return a function, or a generator, whose errors that a user can cause Gradio tells.

    Any other error is told in one line that is always the same, and the server's output has its
    traceback. `escape` is for the page, which takes what it is told for HTML.
    """
    if inspect.isgeneratorfunction(function):

        @wraps(function)
        def generate(*arguments: Any, **named: Any) -> Iterator[Any]:
            with _as_gradio_tells(escape=escape):
                yield from function(*arguments, **named)

        return generate

    @wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        with _as_gradio_tells(escape=escape):
            return function(*arguments, **named)

    return call


@contextmanager
def _as_gradio_tells(*, escape: bool) -> Iterator[None]:
    try:
        yield
    except MousaiError as error:
        text = error_lines(error)
        told = html.escape(text, quote=False) if escape else text
        raise gr.Error(told, duration=None, print_exception=False) from None
    except gr.Error:
        raise
    except Exception:
        traceback.print_exc()
        raise gr.Error(FAILED, duration=None, print_exception=False) from None


def error_lines(error: MousaiError) -> str:
    """Return an error as it is told elsewhere, a line for each problem; of a path its last part.

    Where a studio's files lie is nothing for those who only know its page.
    """
    return "\n".join(escape_control_chars(str(_shorten(one))) for one in error.problems)


def _shorten(problem: Problem) -> Problem:
    path = Path(problem.origin)
    return replace(problem, origin=path.name) if path.is_absolute() else problem
