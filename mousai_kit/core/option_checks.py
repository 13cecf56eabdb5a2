"""Faults of options: what keeps a component's Options from being used, found before a recipe is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from mousai_kit.core.component import ComponentLookup, Options
from mousai_kit.core.errors import escape_control_chars, format_path
from mousai_kit.core.validation import flatten_errors

NOT_MEANT = {"missing", "value_error", "assertion_error"}
"""Mistakes that a recipe without the option makes: required ones, and rules across options."""
IN_SLOTS = {"nested", "said"}
"""Mistakes inside a slot for another component."""


def check_options(options: type[Options]) -> Iterator[str]:
    """Yield what is wrong with Options, whatever other components there are."""
    for name in options.model_fields:
        if name == "use":
            yield "has an option 'use', which is how recipes name the component; rename it"
        elif name.startswith("model_") and hasattr(Options, name):
            yield f"has an option '{name}', which pydantic needs for itself; rename it"
    for former, name in options.former_names.items():
        if name not in options.model_fields:
            yield (
                f"has a former name '{former}' of the option '{name}', which it does not have; "
                "correct `former_names`"
            )
    try:
        options.model_rebuild()  # names a type that there is not
        wrong = _wrong_defaults(options, _Nothing())
    except Exception as error:  # a default_factory's, a validator's, or pydantic's of the class
        told = escape_control_chars(" ".join(str(error).split("\n\n")[0].split()))
        yield f"has Options that can't be made; correct them ({type(error).__name__}: {told})"
        return
    for mistake, name, message in wrong:
        if mistake not in NOT_MEANT | IN_SLOTS and name:
            yield f"has the option '{name}' whose default breaks its own rule; it {message}"


def check_slot_defaults(options: type[Options], finder: ComponentLookup) -> Iterator[str]:
    """Yield what is wrong with the defaults of slots, given the components that there are."""
    try:
        wrong = _wrong_defaults(options, finder)
    except Exception as error:  # a validator's, or slots that are each other's default for ever
        yield f"its Options can't be made of their defaults ({type(error).__name__})"
        return
    for mistake, name, message in wrong:
        if mistake in IN_SLOTS:
            yield f"the default of its slot '{name}' can't be used; {message}"


def _wrong_defaults(options: type[Options], finder: ComponentLookup) -> list[tuple[str, str, str]]:
    """Return (pydantic's name of the mistake, option, message) for every default that fails."""
    try:
        options.model_validate({}, context={"registry": finder})
    except ValidationError as error:
        mistakes = {item["loc"][:1]: item["type"] for item in error.errors(include_url=False)}
        problems = flatten_errors(error, options)
        return [(mistakes.get(at[:1], "missing"), format_path(at), said) for at, said in problems]
    return []


class _Nothing:
    """Stands for the registry while plug-ins still load: what a slot names may yet come."""

    def find(self, kind: str, name: str) -> Any:
        raise LookupError(f"no {kind} is called '{name}'")
