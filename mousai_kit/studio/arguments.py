"""Arguments of what a studio does for programs, checked by their annotations."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, TypeVar, get_type_hints

from pydantic import BaseModel, ValidationError, create_model

from mousai_kit.core.component import Options
from mousai_kit.core.errors import Argument, Problem, RequestError, argument_error, format_path
from mousai_kit.core.validation import flatten_errors

DEEPEST = 20
"""Lists and mappings in each other, at most."""
Model = TypeVar("Model", bound=BaseModel)


def check_arguments(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function, or a generator, that raises RequestError for arguments of other types."""
    signature, hints = inspect.signature(function), get_type_hints(function)
    fields: dict[str, Any] = {
        name: (hints[name], ... if parameter.default is parameter.empty else parameter.default)
        for name, parameter in signature.parameters.items()
    }
    model = create_model(function.__name__, __base__=Options, **fields)

    def check(arguments: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
        given = signature.bind_partial(*arguments, **named).arguments
        for name, value in given.items():
            if is_too_deep(value):
                raise argument_error(name, f"holds lists in lists, more than {DEEPEST} deep")
            if isinstance(value, dict | list) and _holds_huge_number(value):
                raise argument_error(name, "holds a whole number of more than 64 bits")
        return dict(validate_values(model, given))

    if inspect.isgeneratorfunction(function):

        @wraps(function)
        def generate(*arguments: Any, **named: Any) -> Iterator[Any]:
            yield from function(**check(arguments, named))

        return generate

    @wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        return function(**check(arguments, named))

    return call


def validate_values(model: type[Model], values: dict[str, Any]) -> Model:
    """Return values as options; RequestError, a line for each that is wrong, as an argument.

    Numbers without a fraction are whole ones: JSON, and forms, do not tell them.
    """
    try:
        return model.model_validate({key: _whole(item) for key, item in values.items()})
    except ValidationError as error:
        problems = flatten_errors(error, model)
    raise RequestError(
        *(
            Problem(Argument(str(place[0])), format_path(place[1:]), told)
            for place, told in problems
        )
    )


def is_too_deep(value: Any, deepest: int = DEEPEST) -> bool:
    """Tell whether lists and mappings lie in each other more than so deep."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(deepest):
        inner = [one.values() if isinstance(one, dict) else one for one in level]
        level = [item for one in inner for item in one if isinstance(item, dict | list)]
    return bool(level)


def _holds_huge_number(value: Any) -> bool:
    """Tell whether a whole number is in it that no answer could hold: JSON is read by 64 bits."""
    if isinstance(value, dict | list):
        return any(map(_holds_huge_number, value.values() if isinstance(value, dict) else value))
    return isinstance(value, int) and abs(value) >= 2**63


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value
