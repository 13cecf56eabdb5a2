"""Errors that a user can cause: one clear line each, never a traceback."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self

_RULES = {
    "bool_type": "must be true or false",
    "dict_type": "must be a mapping of names to values",
    "finite_number": "must be a finite number",
    "float_type": "must be a number",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "int_type": "must be a whole number",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "list_type": "must be a list",
    "literal_error": "must be {expected}",
    "model_type": "must be a mapping of options",
    "multiple_of": "must be a multiple of {multiple_of}",
    "string_pattern_mismatch": "must match the pattern '{pattern}'",
    "string_too_long": "must have {max_length} characters at most",
    "string_too_short": "must have {min_length} characters or more",
    "string_type": "must be text",
    "too_long": "must have {max_length} items at most (got {actual_length})",
    "too_short": "must have {min_length} items or more (got {actual_length})",
}
"""pydantic's kinds of mistake in the house's words."""


class Argument(str):
    """An argument as Python's caller writes it: `seconds`, or with its value, `steps=0`."""

    name: str
    value: str

    def __new__(cls, name: str, value: object = "") -> Argument:
        """Name an argument; without a value, the problem is about all of it."""
        argument = super().__new__(cls, name if value == "" else f"{name}={value}")
        argument.name, argument.value = name, str(value)
        return argument


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where it was written, which value it is about, and what to do.

    `origin` is a file with its line (`recipe.yaml:20`), a `--set` argument, a file, a package or an
    `Argument`, which the command line tells as its option;
    `path` names the value inside it (`stages.autoencoder.train.steps`) and may be empty.
    """

    origin: str
    path: str
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.origin, self.path, self.message) if part)


class MousaiError(Exception):
    """A user's mistake or a state of the world, told in lines of `<origin>: <path>: <what>`."""

    slot: object = None
    """The slot of a recipe whose component could not be built, if that is what went wrong."""

    def __init__(self, *problems: Problem | str) -> None:
        self.problems: tuple[Problem, ...] = tuple(
            Problem("", "", problem) if isinstance(problem, str) else problem
            for problem in problems
        )
        super().__init__("\n".join(map(str, self.problems)))

    @classmethod
    def about(cls, origin: Path | str, message: str) -> Self:
        """Return the error of one thing that is wrong with a whole file, folder or argument."""
        return cls(Problem(origin if isinstance(origin, str) else str(origin), "", message))


class RecipeError(MousaiError):
    """A recipe, what it extends or a `--set` is wrong."""


class PluginError(MousaiError):
    """A plug-in or a component breaks the rules of its kind."""


class AudioError(MousaiError):
    """An audio file can't be used, or audio that was made is silent or not finite."""


class WeightsError(MousaiError):
    """Weights are missing, broken or another model's."""


class RunError(MousaiError):
    """A run folder can't be used."""


class TrainingError(MousaiError):
    """Training can't start or can't go on."""


class RequestError(MousaiError):
    """What was asked for (prompts, length, device) can't be made."""


def argument_error(name: str, what: str, value: object = "") -> RequestError:
    """Return what is wrong with an argument, or with one value of it."""
    return RequestError.about(Argument(name, value), what)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the known word nearest to `word`, or an empty string."""
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else ""


def suggest(word: str, known: Iterable[str]) -> str:
    """Return the hint at the known word that is near; where none is, `; there are 'x' and 'y'`."""
    words = list(known)
    verb = "is" if len(words) == 1 else "are"
    return did_you_mean(word, words) or f"; there {verb} {join_quoted(words)}"


def count_of(number: int, noun: str) -> str:
    """Return how many there are of something: `1 track`, `2 tracks`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def join_quoted(words: Iterable[str]) -> str:
    """Return words as `'a', 'b' and 'c'`."""
    quoted = [f"'{word}'" for word in words]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def format_path(path: Sequence[str | int]) -> str:
    """Return a path of keys and list indices as `stages.autoencoder.model`."""
    return ".".join(map(str, path))


def describe_constraint(mistake: str, context: Mapping[str, Any]) -> str:
    """Return the rule that was broken, for pydantic's name of the mistake; empty if unknown."""
    numbers = {
        key: int(value) if isinstance(value, float) and value.is_integer() else value
        for key, value in context.items()
    }
    if numbers.get("min_length") == 1:
        return "must not be empty"
    return _RULES.get(mistake, "").format_map(numbers)


def format_value(value: object) -> str:
    """Return a value as a recipe would write it, cut to 60 characters, on one line."""
    if value is None or isinstance(value, bool):
        return str({None: "null", True: "true", False: "false"}[value])
    if isinstance(value, Mapping | list | tuple):
        return "a mapping" if isinstance(value, Mapping) else "a list"
    text = repr(value)
    quote = text[-1] if isinstance(value, str) and len(text) > 60 else ""
    return shorten(text, 60 - len(quote)) + quote


def shorten(text: str, most: int) -> str:
    """Return text, or its beginning and `...`: `most` characters at most."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def escape_control_chars(text: str) -> str:
    """Return text with all that would break a line or steer a terminal written as an escape."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def error_summary(error: BaseException) -> str:
    """Return an exception's first line, or its kind where it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def some(
    words: Sequence[str], most: int = 4, join: Callable[[Sequence[str]], str] = ", ".join
) -> str:
    """Return the first words as one line, and how many more there are."""
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return join(words[:most]) + more
