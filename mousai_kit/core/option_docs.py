"""Facts on options: type, range, default and meaning, for `show`, the docs and editors."""

from __future__ import annotations

import json
import types
import typing
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_jsonable_python

from mousai_kit.core.component import Use
from mousai_kit.core.errors import join_quoted
from mousai_kit.core.validation import is_options_class

_BOUNDS = {
    "ge": ">= {}",
    "gt": "> {}",
    "le": "<= {}",
    "lt": "< {}",
    "multiple_of": "multiple of {}",
    "min_length": "at least {} long",
    "max_length": "at most {} long",
}


def describe_options(model: type[BaseModel], *, prefix: str = "") -> list[dict[str, str]]:
    """Return name, type, range, default and description of each option; nested ones dotted."""
    facts: list[dict[str, str]] = []
    for name, field in model.model_fields.items():
        facts.append(
            {
                "name": f"{prefix}{name}",
                "type": type_name(field.annotation),
                "range": _range(field),
                "default": _default(field),
                "description": _meaning(model, name, field),
            }
        )
        if (inner := _model(field.annotation)) is not None:
            facts += describe_options(inner, prefix=f"{prefix}{name}.")
    return facts


def type_name(annotation: Any) -> str:
    """Return a type as a recipe's author would say it."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Use:
        return inner[0].kind
    if origin is Literal:
        return " | ".join(map(str, inner))
    if origin is typing.Annotated:
        return type_name(inner[0])
    if origin in (types.UnionType, typing.Union):
        names = [type_name(arg) for arg in inner if arg is not type(None)]
        return " | ".join([*names, "null"] if type(None) in inner else names)
    if origin in (list, tuple):
        return f"list of {type_name(inner[0])}"
    if origin is dict:
        return f"mapping to {type_name(inner[1])}"
    if is_options_class(annotation):
        return "mapping"
    plain = {int: "integer", float: "number", str: "text", bool: "true | false"}
    return plain.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _range(field: FieldInfo) -> str:
    """Return a field's bounds as `>= 1, <= 10`."""
    return ", ".join(
        form.format(_number(bound))
        for rule in field.metadata
        for name, form in _BOUNDS.items()
        if (bound := getattr(rule, name, None)) is not None
    )


def _number(bound: float) -> str:
    """Return a bound in full where it is whole."""
    return str(int(bound)) if float(bound).is_integer() else f"{bound:g}"


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, BaseModel):
        return "see below"
    if isinstance(value, str):
        return value
    return json.dumps(to_jsonable_python(value, fallback=str)).replace('"', "")


def _meaning(model: type[BaseModel], name: str, field: FieldInfo) -> str:
    """Return an option's description, with what it was called and why it is on its way out."""
    former = [old for old, new in getattr(model, "former_names", {}).items() if new == name]
    parts = [
        f"deprecated: {field.deprecation_message}" if field.deprecation_message else "",
        field.description or "",
        f"formerly {join_quoted(former)}" if former else "",
    ]
    return "; ".join(part for part in parts if part)


def _model(annotation: Any) -> type[BaseModel] | None:
    """Return the plain model inside an annotation, if there is one."""
    return next(filter(is_options_class, (annotation, *get_args(annotation))), None)
