"""pydantic's report in the house's words, and the attributes that components must set."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Any, ClassVar, TypeGuard, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from mousai_kit.core.errors import describe_constraint, did_you_mean, format_value, suggest

Place = tuple[Any, ...]
"""Keys and list indices that lead to a value."""


def option_error(message: str, *at: str | int) -> PydanticCustomError:
    """Return what a validator raises for what is wrong, `at` a place inside the value or all."""
    return PydanticCustomError("said", "{text}", {"text": message, "at": at})


def flatten_errors(error: ValidationError, model: type[BaseModel]) -> list[tuple[Place, str]]:
    """Return every problem of a failed validation as (place, message), nested ones flattened."""
    found: dict[Place, list[str]] = {}
    for item in error.errors(include_url=False):
        place, context = _place(model, item["loc"]), item.get("ctx", {})
        if item["type"] == "nested":
            for inner, message in context["errors"]:
                found.setdefault((*place, *inner), []).append(message)
        else:
            found.setdefault((*place, *context.get("at", ())), []).append(
                _message(item, model, place)
            )
    return [(place, _merge_union(said)) for place, said in found.items()]


def _message(item: Any, model: type[BaseModel], place: Place) -> str:
    """Return what is wrong in the house's words, with the value that was given."""
    match item["type"]:
        case "extra_forbidden":
            return f"unknown option{_nearest(model, place)}"
        case "missing":
            return "is missing"
        case "value_error":
            return str(item["ctx"]["error"])
        case "said":
            return str(item["msg"])
    message = describe_constraint(item["type"], item.get("ctx", {})) or str(item["msg"])
    if item["type"] == "string_type" and isinstance(item["input"], int | float):
        message += "; put it in quotes"
    if isinstance(item["input"], Mapping | list) and not item["type"].endswith("_type"):
        return message
    return f"{message} (got {format_value(item['input'])})"


def _merge_union(messages: list[str]) -> str:
    """Return one message for the alternatives of a union, which fail together."""
    rules = dict.fromkeys(message.partition(" (got ")[0] for message in messages)
    return ", or ".join(rules) + messages[-1][len(messages[-1].partition(" (got ")[0]) :]


def _place(model: type[BaseModel], location: Place) -> Place:
    """Return pydantic's location without what it adds: `[key]` and a union's alternatives."""
    place: list[Any] = []
    annotation: Any = model
    for key in location:
        if key == "[key]" or _is_union(annotation):
            annotation = None
            continue
        place.append(key)
        annotation = _child_annotation(annotation, key)
    return tuple(place)


def _nearest(model: type[BaseModel], place: Place) -> str:
    """Return a hint at the option that was meant, or the list of options where there are few."""
    owner: Any = model
    for key in place[:-1]:
        owner = _child_annotation(owner, key)
    if not is_options_class(owner):
        return ""
    known = list(owner.model_fields)
    if not known:
        return "; there are none"
    return (suggest if len(known) <= 6 else did_you_mean)(str(place[-1]), known)


def _child_annotation(annotation: Any, key: Any) -> Any:
    """Return the annotation of what lies under `key` in a value so annotated."""
    if is_options_class(annotation):
        field = annotation.model_fields.get(key)
        inner = field.annotation if field else None
    else:
        inner = (get_args(annotation) or (None,))[-1]
    members = [member for member in get_args(inner) if member is not type(None)]
    return members[0] if _is_union(inner) and len(members) == 1 else inner


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, UnionType)


def is_options_class(annotation: Any) -> TypeGuard[type[BaseModel]]:
    """Tell whether an annotation is a class of options."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def check_class_attributes(kind: type, component: type) -> Iterator[str]:
    """Yield what is wrong with the class attributes that a component of the kind has to set."""
    for name, annotation in _declared_attributes(kind, on_class=True):
        value = inspect.getattr_static(component, name, None)
        if not hasattr(component, name):
            called = getattr(kind, "kind", kind.__name__)
            told = f"lacks the class attribute '{name}', which every {called} has"
            yield f"{told}; write `{name} = ...` in it"
        elif not isinstance(value, property) and (broken := _broken_rule(annotation, value)):
            yield f"has a class attribute '{name}' that {broken} (got {format_value(value)})"


def missing_attributes(kind: type, built: object) -> Iterator[str]:
    """Yield the attributes of a kind that a component's constructor had to set and did not."""
    for name, _ in _declared_attributes(kind, on_class=False):
        # what the class has, a property say, may not be there before training
        if not (hasattr(type(built), name) or hasattr(built, name)):
            yield name


def _declared_attributes(kind: type, *, on_class: bool) -> Iterator[tuple[str, Any]]:
    """Yield (name, annotation) of attributes that have no value in the interface itself."""
    for name, annotation in inspect.get_annotations(kind, eval_str=True).items():
        origin: object = get_origin(annotation)
        of_class = origin is ClassVar
        if of_class == on_class and name not in vars(kind):
            yield name, get_args(annotation)[0] if of_class else annotation


def _broken_rule(annotation: Any, value: object) -> str:
    """Return the rule that a value breaks; empty where it breaks none."""
    try:
        TypeAdapter(annotation, config=ConfigDict(strict=True)).validate_python(value)
    except ValidationError as error:
        mistake = error.errors(include_url=False)[0]
        rule = describe_constraint(mistake["type"], mistake.get("ctx", {}))
        return rule or f"must be {annotation}"
    return ""
