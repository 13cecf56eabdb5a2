"""Problems of a failed validation: pydantic's report, told in the house's words."""

from __future__ import annotations

from collections.abc import Mapping
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from mousai_kit.errors import did_you_mean, listed, rule, shown

Place = tuple[Any, ...]
"""Keys and list indices that lead to a value."""


def problems_in(error: ValidationError, model: type[BaseModel]) -> list[tuple[Place, str]]:
    """Return every problem of a failed validation as (place, message), nested ones flattened."""
    found: dict[Place, list[str]] = {}
    for item in error.errors(include_url=False):
        place, context = _place(model, item["loc"]), item.get("ctx", {})
        if item["type"] == "nested":
            for inner, message in context["errors"]:
                found.setdefault((*place, *inner), []).append(message)
        else:
            found.setdefault((*place, *context.get("at", ())), []).append(_said(item, model, place))
    return [(place, _either(said)) for place, said in found.items()]


def _said(item: Any, model: type[BaseModel], place: Place) -> str:
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
    message = rule(item["type"], item.get("ctx", {})) or str(item["msg"])
    if isinstance(item["input"], Mapping | list) and not item["type"].endswith("_type"):
        return message
    return f"{message} (got {shown(item['input'])})"


def _either(messages: list[str]) -> str:
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
        annotation = _inside(annotation, key)
    return tuple(place)


def _nearest(model: type[BaseModel], place: Place) -> str:
    """Return a hint at the option that was meant, or the list of options where there are few."""
    owner: Any = model
    for key in place[:-1]:
        owner = _inside(owner, key)
    if not _is_model(owner):
        return ""
    known = list(owner.model_fields)
    if not known:
        return "; there are none"
    few = f"; there {'is' if len(known) == 1 else 'are'} {listed(known)}"
    return did_you_mean(str(place[-1]), known) or (few if len(known) <= 6 else "")


def _inside(annotation: Any, key: Any) -> Any:
    """Return the annotation of what lies under `key` in a value so annotated."""
    if _is_model(annotation):
        field = annotation.model_fields.get(key)
        inner = field.annotation if field else None
    else:
        inner = (get_args(annotation) or (None,))[-1]
    members = [member for member in get_args(inner) if member is not type(None)]
    return members[0] if _is_union(inner) and len(members) == 1 else inner


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, UnionType)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
